use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Band, Lines, Series};
use crate::{
    axis::Axis,
    canvas::{self, Canvas, Drawn, MARGIN, Title, font, px, stroke},
    colour::{BAND, GRID, INK},
    legend::{self, Line, Look},
    text::{self, LABEL, SMALLEST, TICK},
};

/// The layout of one figure.
pub(super) struct Plot<'a> {
    lines: &'a Lines,
    looks: Vec<Look>,
    title: Title,
    names: Vec<String>,
    pub(super) width: f64,
    pub(super) height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    label: f64,
    tick: f64,
    /// Names stand beside the lines' ends; otherwise they stand in rows, here.
    rows: Option<Vec<(f64, f64)>>,
}

impl<'a> Plot<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
        let (width, plot_height, label, tick) = if lines.small {
            (canvas::SMALL, 190.0, 15.0, SMALLEST)
        } else {
            (canvas::WIDTH, 290.0, LABEL, TICK)
        };
        let title = Title::new(&lines.title, width);
        let names: Vec<String> = lines
            .series
            .iter()
            .map(|s| text::cut(&s.name, label, width - 2.0 * MARGIN - legend::SAMPLE))
            .collect();

        let mut top = title.bottom() + 4.0;
        let beside = text::widest(&names, label) + legend::SAMPLE + 22.0;
        let (rows, right) = if beside <= 0.3 * width {
            (None, width - beside)
        } else {
            let (rows, below) = legend::rows(&names, label, width, top);
            top = below + 4.0;
            (Some(rows), width - MARGIN - 8.0)
        };
        // The y label lies above its axis, where it needs no turned head.
        top += if lines.y.is_empty() { 10.0 } else { label + 16.0 };

        let all = || lines.series.iter().flat_map(|s| s.points.iter().copied());
        let bands = || lines.bands.iter().flat_map(|b| b.points.iter().copied());
        let (x_low, x_high) = range(all().map(|p| p.0).chain(bands().map(|b| b.0)));
        let (y_low, y_high) = range(
            all()
                .map(|p| p.1)
                .chain(bands().flat_map(|b| [b.1, b.2]))
                .chain(lines.y_range.into_iter().flat_map(|(low, high)| [low, high])),
        );
        let y = match lines.y_range {
            // The asked range, exactly, where the data stays inside.
            Some((low, high)) if (low, high) == (y_low, y_high) => {
                Axis::new(lines.y_scale, y_low, y_high, 5, false)
            }
            _ => Axis::new(lines.y_scale, y_low, y_high, 5, true),
        };
        let left = MARGIN + y.label_width(tick) + 10.0;
        let mut x_ticks = if lines.small { 5 } else { 7 };
        if all().all(|(x, _)| x.fract() == 0.0) && x_high > x_low {
            // No ticks between whole numbers, such as layers.
            x_ticks = x_ticks.min((x_high - x_low) as usize);
        }
        let axis = |ticks| Axis::new(lines.x_scale, x_low, x_high, ticks, false);
        let crowded = |x: &Axis| {
            let room = (right - left) / (x.ticks.len().max(2) - 1) as f64;
            x.label_width(tick) + 8.0 > room
        };
        let mut x = axis(x_ticks);
        while x_ticks > 1 && crowded(&x) {
            x_ticks -= 1;
            x = axis(x_ticks);
        }

        let bottom = top + plot_height;
        let below = if lines.x.is_empty() { 30.0 } else { 34.0 + label };
        Self {
            lines,
            looks: lines.looks(),
            title,
            names,
            width,
            height: bottom + below + 6.0,
            left,
            right,
            top,
            bottom,
            x,
            y,
            label,
            tick,
            rows,
        }
    }

    /// Where (x, y) lies on the paper.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part =
            |axis: &Axis, value| (axis.scale.place(value) - axis.from) / (axis.to - axis.from);
        (
            self.left + part(&self.x, x) * (self.right - self.left),
            self.bottom - part(&self.y, y) * (self.bottom - self.top),
        )
    }

    pub(super) fn draw(&self, canvas: &Canvas) -> Drawn {
        canvas.title(&self.title)?;
        self.draw_axes(canvas)?;
        for band in &self.lines.bands {
            self.draw_band(canvas, band)?;
        }
        let series = || self.lines.series.iter().zip(&self.looks);
        // Theory above the lines, so that agreement shows as dashes on a line; markers above both.
        for (series, look) in series().filter(|(_, look)| look.line == Line::Solid) {
            canvas.path(&self.thinned(&series.points), stroke(look.colour, legend::SOLID))?;
        }
        for (series, look) in series().filter(|(_, look)| look.line == Line::Dashed) {
            self.draw_dashed(canvas, series, look.colour)?;
        }
        for (series, look) in series() {
            if let Some(shape) = look.marker {
                for at in self.apart(&series.points) {
                    legend::marker(canvas, at, shape, look.colour)?;
                }
            }
        }
        self.draw_names(canvas)
    }

    fn draw_axes(&self, canvas: &Canvas) -> Drawn {
        let plot = canvas
            .area
            .clone()
            .shrink((0, px(self.top)), (px(self.right), px(self.height - self.top)));
        let mut chart = ChartBuilder::on(&plot)
            .set_label_area_size(LabelAreaPosition::Left, px(self.left))
            .set_label_area_size(LabelAreaPosition::Bottom, px(self.height - self.bottom))
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(stroke(GRID, 1.0))
            .axis_style(stroke(INK, 1.0))
            .set_all_tick_mark_size(px(4.0))
            .label_style(font(self.tick, INK))
            .draw()?;

        let name = |name: &str| text::cut(name, self.label, self.width - 2.0 * MARGIN);
        let x_name = name(&self.lines.x);
        // Below the plot's middle, and inside the paper.
        let half = text::width(&x_name, self.label) / 2.0;
        let middle = (self.left + self.right) / 2.0;
        let middle = middle.min(self.width - MARGIN - half).max(MARGIN + half);
        let below = self.bottom + 30.0 + self.label / 2.0;
        canvas.text(middle, below, HPos::Center, self.label, &x_name)?;
        let above = self.top - 8.0 - self.label / 2.0;
        canvas.text(MARGIN, above, HPos::Left, self.label, &name(&self.lines.y))
    }

    fn draw_band(&self, canvas: &Canvas, band: &Band) -> Drawn {
        let same = self.lines.series.iter().position(|s| s.name == band.name);
        let colour = same.map_or(BAND, |i| self.looks[i].colour);
        let low = band.points.iter().map(|b| self.at((b.0, b.1)));
        let high = band.points.iter().rev().map(|b| self.at((b.0, b.2)));
        let edge = low.chain(high).map(|(x, y)| (px(x), px(y)));
        let area = Polygon::new(edge.collect::<Vec<_>>(), colour.mix(0.22).filled());
        canvas.area.draw(&area)
    }

    fn draw_dashed(&self, canvas: &Canvas, series: &Series, colour: RGBColor) -> Drawn {
        let points = self.thinned(&series.points);
        let points: Vec<_> = points.into_iter().map(|(x, y)| (px(x), px(y))).collect();
        let style = stroke(colour, legend::DASHED);
        for dash in DashedLineSeries::new(points, px(9.0), px(6.0), style) {
            canvas.area.draw(&dash)?;
        }
        Ok(())
    }

    fn draw_names(&self, canvas: &Canvas) -> Drawn {
        let places = self.rows.clone().unwrap_or_else(|| {
            let ends: Vec<f64> = self
                .lines
                .series
                .iter()
                .map(|s| s.points.last().map_or(self.top, |&point| self.at(point).1))
                .collect();
            let ends = legend::spread(&ends, self.top, self.bottom);
            ends.into_iter().map(|y| (self.right + 12.0, y)).collect()
        });
        for ((name, look), at) in self.names.iter().zip(&self.looks).zip(places) {
            legend::entry(canvas, at, *look, name, self.label)?;
        }
        Ok(())
    }

    /// The points on the paper; where many share a column, its first, lowest, highest and last.
    fn thinned(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let mut kept: Vec<(f64, f64)> = Vec::new();
        let placed: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        let column = |at: &(f64, f64)| (at.0 / 2.0).floor();
        for column in placed.chunk_by(|a, b| column(a) == column(b)) {
            if column.len() <= 4 {
                kept.extend(column);
                continue;
            }
            let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
            let low = (0..column.len()).min_by(by_height).unwrap_or(0);
            let high = (0..column.len()).max_by(by_height).unwrap_or(0);
            let mut some = vec![0, low, high, column.len() - 1];
            some.sort_unstable();
            some.dedup();
            kept.extend(some.into_iter().map(|i| column[i]));
        }
        kept
    }

    /// The points on the paper without those that would cover another.
    fn apart(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let mut seen = std::collections::BTreeSet::new();
        let placed = points.iter().map(|&point| self.at(point));
        placed.filter(|(x, y)| seen.insert(((x / 2.0) as i64, (y / 2.0) as i64))).collect()
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}
