//! Names of series: samples of how each is drawn, beside or above the data, never over it.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::{
    canvas::{Canvas, Drawn, MARGIN, stroke},
    text,
};

/// How wide a sample is, with the space behind it.
pub(crate) const SAMPLE: f64 = 32.0;
/// How thick lines are: dashes on a line that they agree with leave its edges visible.
pub(crate) const SOLID: f64 = 3.0;
pub(crate) const DASHED: f64 = 1.75;
/// Height of one row.
pub(crate) const ROW: f64 = 22.0;

/// How a series is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) colour: RGBColor,
    pub(crate) line: Line,
    /// The marker's shape, counted from 0; none where there is none.
    pub(crate) marker: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    None,
    Solid,
    Dashed,
    /// A filled block.
    Block,
}

/// Draws a sample and its name, the sample's left end at `x`.
pub(crate) fn entry(
    canvas: &Canvas,
    (x, y): (f64, f64),
    look: Look,
    name: &str,
    size: f64,
) -> Drawn {
    let dash = stroke(look.colour, DASHED);
    match look.line {
        Line::None => {}
        Line::Solid => canvas.path(&[(x, y), (x + 24.0, y)], stroke(look.colour, SOLID))?,
        Line::Dashed => {
            canvas.path(&[(x, y), (x + 9.0, y)], dash)?;
            canvas.path(&[(x + 15.0, y), (x + 24.0, y)], dash)?;
        }
        Line::Block => canvas.rect((x + 6.0, y - 7.0), (x + 24.0, y + 7.0), look.colour)?,
    }
    if let Some(shape) = look.marker {
        marker(canvas, (x + 12.0, y), shape, look.colour)?;
    }
    canvas.text(x + SAMPLE, y, HPos::Left, size, name)
}

/// Draws a marker: circle, square, triangle, diamond, and again from the start.
pub(crate) fn marker(canvas: &Canvas, (x, y): (f64, f64), shape: usize, colour: RGBColor) -> Drawn {
    match shape % 4 {
        0 => canvas.circle((x, y), 4.0, colour),
        1 => canvas.rect((x - 3.75, y - 3.75), (x + 3.75, y + 3.75), colour),
        2 => canvas.polygon(&[(x, y - 5.0), (x + 5.0, y + 4.0), (x - 5.0, y + 4.0)], colour),
        _ => canvas.polygon(&[(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)], colour),
    }
}

/// Where each name goes in rows from `MARGIN` to `width`, first row at `top`, and where the rows end.
pub(crate) fn rows<S: AsRef<str>>(
    names: &[S],
    size: f64,
    width: f64,
    top: f64,
) -> (Vec<(f64, f64)>, f64) {
    let (mut x, mut y) = (MARGIN, top + ROW / 2.0);
    let mut places = Vec::new();
    for name in names {
        let room = SAMPLE + text::width(name.as_ref(), size);
        if x > MARGIN && x + room > width - MARGIN {
            (x, y) = (MARGIN, y + ROW);
        }
        places.push((x, y));
        x += room + 18.0;
    }
    (places, y + ROW / 2.0)
}

/// Moves heights apart until neighbours are `ROW` apart, within `top..bottom`; keeps their order.
pub(crate) fn spread(heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut placed = heights.to_vec();
    let mut least = top;
    for &i in &order {
        placed[i] = placed[i].max(least);
        least = placed[i] + ROW;
    }
    let mut most = bottom;
    for &i in order.iter().rev() {
        placed[i] = placed[i].min(most);
        most = placed[i] - ROW;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_same_height_move_apart() {
        let placed = spread(&[100.0, 100.0, 99.0], 0.0, 110.0);
        assert!((placed[0] - placed[1]).abs() >= ROW && placed[2] < placed[0]);
        assert!(placed.iter().all(|y| (0.0..=110.0).contains(y)));
    }

    #[test]
    fn names_that_do_not_fit_a_row_take_the_next() {
        let (places, bottom) = rows(&["first series", "second series", "third"], 16.0, 300.0, 0.0);
        assert_eq!(places[0].0, places[1].0);
        assert!(places[1].1 > places[0].1 && bottom > places[2].1);
    }
}
