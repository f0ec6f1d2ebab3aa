use std::{collections::BTreeMap, fmt::Write as _};

use plotters::style::RGBColor;

use crate::colour::hex;

/// Coloured cells as one SVG path a colour: plotters' rectangles would make a figure five times as large.
pub(super) struct Cells {
    height: f64,
    /// Cells touch: no seam may show between them. Cells that stand apart keep soft edges, so that no gap is lost.
    touch: bool,
    /// For each colour the cells' (y, x, width).
    runs: BTreeMap<String, Vec<(f64, f64, f64)>>,
}

impl Cells {
    /// Cells that are all `height` high and touch or stand apart.
    pub(super) fn new(height: f64, touch: bool) -> Self {
        Self { height, touch, runs: BTreeMap::new() }
    }

    /// Adds a cell; one that continues the last of its colour is joined to it.
    pub(super) fn add(&mut self, (x, y): (f64, f64), width: f64, colour: RGBColor) {
        let runs = self.runs.entry(hex(colour)).or_default();
        match runs.last_mut() {
            Some(last) if last.0 == y && last.1 + last.2 == x => last.2 += width,
            _ => runs.push((y, x, width)),
        }
    }

    /// A horizontal stroke as thick as a cell paints it in a dozen bytes.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        for (colour, runs) in &self.runs {
            let height = self.height;
            let crisp = if self.touch { " shape-rendering=\"crispEdges\"" } else { "" };
            let _ = write!(svg, "<path{crisp} stroke=\"{colour}\" stroke-width=\"{height}\" d=\"");
            for (y, x, width) in runs {
                let _ = write!(svg, "M{x} {}h{width}", y + height / 2.0);
            }
            svg.push_str("\"/>\n");
        }
        svg
    }
}

/// Signs of one kind at several places, as one path.
pub(super) struct Signs {
    colour: RGBColor,
    stroke: f64,
    path: String,
}

impl Signs {
    pub(super) fn new(colour: RGBColor, stroke: f64) -> Self {
        Self { colour, stroke, path: String::new() }
    }

    /// A dot as wide as the stroke.
    pub(super) fn dot(&mut self, (x, y): (f64, f64)) {
        let _ = write!(self.path, "M{x} {y}h0");
    }

    /// A cross of `size`.
    pub(super) fn cross(&mut self, (x, y): (f64, f64), size: f64) {
        let (x, y) = (x - size / 2.0, y - size / 2.0);
        let _ = write!(self.path, "M{x} {y}l{size} {size}m-{size} 0l{size}-{size}");
    }

    /// Diagonal lines through the cell whose corner is (x, y).
    pub(super) fn hatch(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (w, h) = (width / 2.0, height / 2.0);
        let _ = write!(
            self.path,
            "M{x} {}l{w}-{h}M{x} {}l{width}-{height}M{} {}l{w}-{h}",
            y + h,
            y + height,
            x + w,
            y + height
        );
    }

    pub(super) fn svg(&self) -> String {
        if self.path.is_empty() {
            return String::new();
        }
        format!(
            "<path fill=\"none\" stroke-linecap=\"round\" stroke=\"{}\" stroke-width=\"{}\" d=\"{}\"/>\n",
            hex(self.colour),
            self.stroke,
            self.path
        )
    }
}
