use plotters::style::{FontTransform, RGBColor, text_anchor::HPos};

use super::{
    Heatmap,
    cells::{Cells, Signs},
    layout::{Layout, printed},
};
use crate::{
    canvas::{Canvas, Drawn, MARGIN, font},
    colour::{INK, LEVELS, NOT_FINITE, sequential, text_on},
    text::{self, LABEL, SMALLEST, TICK},
};

/// Cells at least this large show signs.
const SIGN: f64 = 9.0;
/// The colour scale's length and thickness.
const BAR: (f64, f64) = (160.0, 14.0);
const MAY: usize = 46;
const MAY_NOT: RGBColor = RGBColor(0xe3, 0xe7, 0xec);

/// The SVG of all cells, their signs and the legend's swatches.
pub(super) fn cells(map: &Heatmap, layout: &Layout) -> String {
    let (width, height) = layout.cell;
    // Large cells stand apart; small ones touch, and equal ones merge.
    let gap = if width.min(height) >= 12.0 { 1.0 } else { 0.0 };
    let size = (width - gap, height - gap);
    let mut cells = Cells::new(size.1, gap == 0.0);
    let mut marks = Marks::new(width.min(height));
    for (panel, &(left, top)) in map.panels.iter().zip(&layout.panels) {
        for (i, &value) in panel.values.iter().enumerate() {
            let x = left + (i % map.cols) as f64 * width;
            let y = top + (i / map.cols) as f64 * height;
            cells.add((x, y), size.0, colour(map, layout, value));
            if map.mask && width.min(height) >= SIGN {
                marks.sign((x + size.0 / 2.0, y + size.1 / 2.0), value == 1.0);
            } else if value.is_nan() && !layout.fits("NaN") {
                marks.hatches.hatch((x, y), size);
            }
        }
    }

    let mut keys = Cells::new(BAR.1, true);
    let mut key_marks = Marks::new(BAR.1);
    let y = layout.legend - BAR.1 / 2.0;
    for key in legend(map, layout) {
        match key.kind {
            Key::Scale(..) => {
                let step = BAR.0 / LEVELS as f64;
                for level in 0..LEVELS {
                    keys.add((key.x + level as f64 * step, y), step, sequential(level));
                }
            }
            Key::May(may) => {
                keys.add((key.x, y), BAR.1, mask_colour(may));
                let middle = (key.x + BAR.1 / 2.0, layout.legend);
                key_marks.sign(middle, may);
            }
            Key::Nan => {
                keys.add((key.x, y), BAR.1, NOT_FINITE);
                key_marks.hatches.hatch((key.x, y), (BAR.1, BAR.1));
            }
            Key::Infinite => keys.add((key.x, y), BAR.1, NOT_FINITE),
        }
    }
    [cells.svg(), marks.svg(), keys.svg(), key_marks.svg()].concat()
}

/// Everything that is written.
pub(super) fn texts(map: &Heatmap, layout: &Layout, canvas: &Canvas) -> Drawn {
    canvas.title(&layout.title)?;
    let (axes_y, x_name) = layout.axes;
    canvas.text(MARGIN, axes_y, HPos::Left, LABEL, &layout.y_name)?;
    canvas.text(x_name, axes_y, HPos::Left, LABEL, &layout.x_name)?;
    for (i, &corner) in layout.panels.iter().enumerate() {
        labels(map, layout, canvas, i, corner)?;
        values(map, layout, canvas, i, corner)?;
    }
    for key in legend(map, layout) {
        let (y, after) = (layout.legend, key.x + BAR.1 + 8.0);
        match key.kind {
            Key::Scale(low, high) => {
                let end = key.x + BAR.0 + 8.0;
                canvas.text(key.x - 8.0, y, HPos::Right, SMALLEST, &text::number(low))?;
                canvas.text(end, y, HPos::Left, SMALLEST, &text::number(high))?;
            }
            Key::May(may) => canvas.text(after, y, HPos::Left, SMALLEST, mask_name(may))?,
            Key::Nan => canvas.text(after, y, HPos::Left, SMALLEST, "NaN")?,
            Key::Infinite => canvas.text(after, y, HPos::Left, SMALLEST, "infinite")?,
        }
    }
    Ok(())
}

fn labels(
    map: &Heatmap,
    layout: &Layout,
    canvas: &Canvas,
    i: usize,
    (left, top): (f64, f64),
) -> Drawn {
    let (width, height) = layout.cell;
    let mut above = top;
    if i.is_multiple_of(layout.per_row) {
        for (row, label) in &layout.row_labels {
            let y = top + (*row as f64 + 0.5) * height;
            canvas.text(left - 7.0, y, HPos::Right, SMALLEST, label)?;
        }
    }
    if i < layout.per_row {
        for (column, label) in &layout.col_labels {
            let x = left + (*column as f64 + 0.5) * width;
            if layout.upright {
                let style = font(SMALLEST, INK).transform(FontTransform::Rotate270);
                canvas.styled(x, top - 6.0, HPos::Left, style, label)?;
            } else {
                canvas.text(x, top - 11.0, HPos::Center, SMALLEST, label)?;
            }
        }
        above = layout.above_labels(top);
    }
    let room = width * map.cols as f64 + 12.0;
    let name = text::cut(&map.panels[i].name, TICK, room);
    canvas.text(left, above - 13.0, HPos::Left, TICK, &name)
}

fn values(
    map: &Heatmap,
    layout: &Layout,
    canvas: &Canvas,
    i: usize,
    (left, top): (f64, f64),
) -> Drawn {
    let (width, height) = layout.cell;
    if map.mask {
        return Ok(());
    }
    for (j, &value) in map.panels[i].values.iter().enumerate() {
        let text = match map.decimals {
            Some(decimals) => printed(value, decimals),
            None if value.is_finite() => continue,
            None => printed(value, 0),
        };
        if !layout.fits(&text) {
            continue;
        }
        let x = left + ((j % map.cols) as f64 + 0.5) * width - 0.5;
        let y = top + ((j / map.cols) as f64 + 0.5) * height - 0.5;
        let style = font(SMALLEST, text_on(colour(map, layout, value)));
        canvas.styled(x, y, HPos::Center, style, &text)?;
    }
    Ok(())
}

fn colour(map: &Heatmap, layout: &Layout, value: f64) -> RGBColor {
    match layout.bounds {
        _ if map.mask => mask_colour(value == 1.0),
        Some((low, high)) if value.is_finite() => {
            let part = if high > low { (value - low) / (high - low) } else { 0.5 };
            sequential((part.clamp(0.0, 1.0) * (LEVELS - 1) as f64).round() as usize)
        }
        _ => NOT_FINITE,
    }
}

fn mask_colour(may: bool) -> RGBColor {
    if may { sequential(MAY) } else { MAY_NOT }
}

fn mask_name(may: bool) -> &'static str {
    if may { "may attend" } else { "may not" }
}

/// One entry of the legend, from `x` on.
struct Entry {
    x: f64,
    kind: Key,
}

enum Key {
    Scale(f64, f64),
    May(bool),
    Nan,
    Infinite,
}

fn legend(map: &Heatmap, layout: &Layout) -> Vec<Entry> {
    let mut x = MARGIN;
    let mut entries = Vec::new();
    let swatch = |name: &str| BAR.1 + 8.0 + text::width(name, SMALLEST) + 20.0;
    if map.mask {
        for may in [true, false] {
            entries.push(Entry { x, kind: Key::May(may) });
            x += swatch(mask_name(may));
        }
        return entries;
    }
    if let Some((low, high)) = layout.bounds {
        x += text::width(&text::number(low), SMALLEST) + 8.0;
        entries.push(Entry { x, kind: Key::Scale(low, high) });
        x += BAR.0 + 8.0 + text::width(&text::number(high), SMALLEST) + 20.0;
    }
    let any = |is: fn(f64) -> bool| map.panels.iter().any(|p| p.values.iter().any(|&v| is(v)));
    if any(f64::is_nan) && !layout.fits("NaN") {
        entries.push(Entry { x, kind: Key::Nan });
        x += swatch("NaN");
    }
    if any(f64::is_infinite) && !layout.fits("−∞") {
        entries.push(Entry { x, kind: Key::Infinite });
    }
    entries
}

/// Signs on cells.
struct Marks {
    dots: Signs,
    crosses: Signs,
    cross: f64,
    hatches: Signs,
}

impl Marks {
    /// Signs for cells whose shorter side is `side`.
    fn new(side: f64) -> Self {
        let dark = text_on(MAY_NOT);
        Self {
            dots: Signs::new(text_on(sequential(MAY)), (side * 0.38).round()),
            crosses: Signs::new(dark, 1.5),
            cross: (side * 0.34).round(),
            hatches: Signs::new(dark, 1.0),
        }
    }

    fn sign(&mut self, at: (f64, f64), may: bool) {
        if may {
            self.dots.dot(at);
        } else {
            self.crosses.cross(at, self.cross);
        }
    }

    fn svg(&self) -> String {
        [self.dots.svg(), self.crosses.svg(), self.hatches.svg()].concat()
    }
}
