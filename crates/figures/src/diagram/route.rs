//! The ways that arrows take.

use std::collections::BTreeMap;

use super::layout::{Fault, Place, SHEET, known};
use super::node::{LINE, SMALL};
use crate::text;

/// How near an arrow may come to a node that it does not belong to.
const CLEAR: f64 = 3.0;

#[derive(Debug, Clone)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) way: Way,
    pub(super) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Down or up, then across into the side if need be.
    Down,
    /// Across, then down or up.
    Across,
    /// The straight line.
    Slanted,
}

/// The points of an arrow, and its words with the place that they take.
#[derive(Debug)]
pub(super) struct Route {
    /// The node that it leaves.
    pub(super) from: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) words: Option<(String, Place)>,
}

/// The way of each arrow, with its words clear of the frames' edges; fails on unknown nodes and on a way through a node.
pub(super) fn routes(
    arrows: &[Arrow],
    nodes: &BTreeMap<String, Place>,
    frames: &[Place],
) -> Result<Vec<Route>, Fault> {
    let mut routes: Vec<Route> = vec![];
    for arrow in arrows {
        let what = format!("arrow from \"{}\" to \"{}\"", arrow.from, arrow.to);
        let find = |name: &String| {
            nodes
                .get(name)
                .copied()
                .ok_or_else(|| (what.clone(), known(nodes), format!("\"{name}\"")))
        };
        let points = points(find(&arrow.from)?, find(&arrow.to)?, arrow.way);
        let words = (!arrow.words.is_empty())
            .then(|| (arrow.words.clone(), words_place(&points, &arrow.words, frames)));
        let others = || nodes.iter().filter(|(name, _)| **name != arrow.from && **name != arrow.to);
        if let Some((name, _)) = others().find(|(_, place)| crosses(&points, place)) {
            return Err((what, "a way past all other nodes".into(), format!("\"{name}\"")));
        }
        if let Some((_, at)) = &words {
            let hit = nodes.iter().find(|(_, place)| place.touches(at, 0.0));
            if let Some((name, _)) = hit {
                return Err((what, "room for its words".into(), format!("\"{name}\"")));
            }
            if at.right > SHEET {
                return Err((what, format!("words up to {SHEET}"), format!("{:.0}", at.right)));
            }
        }
        routes.push(Route { from: arrow.from.clone(), points, words });
    }
    Ok(routes)
}

fn points(from: Place, to: Place, way: Way) -> Vec<(f64, f64)> {
    let (from_x, from_y, to_x, to_y) = (from.axis, from.level, to.axis, to.level);
    let down = to.top >= from.bottom;
    let (leave, enter) = if down { (from.bottom, to.top) } else { (from.top, to.bottom) };
    let beside = from.top < to.bottom && to.top < from.bottom;
    let right = to_x > from_x;
    let side = |place: Place, right: bool| if right { place.sides.1 } else { place.sides.0 };
    if beside {
        let y = if from.bottom - from.top < to.bottom - to.top { from_y } else { to_y };
        return vec![(side(from, right), y), (side(to, !right), y)];
    }
    if way == Way::Slanted {
        // Beside what goes straight.
        let shift = |place: Place| (place.right - place.left) / 4.0 * (to_x - from_x).signum();
        return vec![(from_x + shift(from), leave), (to_x - shift(to), enter)];
    }
    // The narrower one's axis, where the other is above or below it.
    let narrow = if from.right - from.left < to.right - to.left { from_x } else { to_x };
    let shared = (from.left.max(to.left), from.right.min(to.right));
    let straight = if (shared.0..=shared.1).contains(&narrow) {
        Some(narrow)
    } else if shared.1 - shared.0 >= 20.0 {
        Some((shared.0 + shared.1) / 2.0)
    } else {
        None
    };
    match (way, straight) {
        (Way::Down, Some(x)) => vec![(x, leave), (x, enter)],
        (Way::Down, None) => vec![(from_x, leave), (from_x, to_y), (side(to, !right), to_y)],
        _ => vec![(side(from, right), from_y), (to_x, from_y), (to_x, enter)],
    }
}

/// Right of an arrow's first part, or above it where it lies flat; in its middle, unless a frame's edge is there.
fn words_place(points: &[(f64, f64)], words: &str, frames: &[Place]) -> Place {
    let ((x0, y0), (x1, y1)) = (points[0], points[1]);
    let wide = text::width(words, SMALL);
    let flat = (x1 - x0).abs() > (y1 - y0).abs();
    let at = |share: f64| {
        let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        let (left, middle) =
            if flat { (x - wide / 2.0, y - LINE / 2.0 - 2.0) } else { (x + 9.0, y) };
        Place::new((left, middle - 8.0), (left + wide, middle + 8.0))
    };
    let cut = |place: &Place| {
        let edge = |y: f64| place.top < y && y < place.bottom;
        frames.iter().any(|frame| {
            frame.left < place.right
                && place.left < frame.right
                && (edge(frame.top) || edge(frame.bottom))
        })
    };
    let shares = [0.5, 0.4, 0.6, 0.3, 0.7];
    shares.into_iter().map(at).find(|place| !cut(place)).unwrap_or(at(0.5))
}

/// Where a frame's label goes: at its left, or further right where an arrow comes in there.
pub(super) fn label_left(frame: &Place, label: &str, routes: &[Route]) -> f64 {
    let wide = text::width(label, SMALL);
    let (first, last) = (frame.left + 10.0, frame.right - 6.0 - wide);
    let clear = |left: &f64| {
        let place = Place::new((*left - 5.0, frame.top + 4.0), (left + wide, frame.top + LINE));
        routes.iter().all(|route| !crosses(&route.points, &place))
    };
    let steps = ((last - first).max(0.0) / 4.0) as usize;
    (0..=steps).map(|step| first + 4.0 * step as f64).find(clear).unwrap_or(first)
}

fn crosses(points: &[(f64, f64)], place: &Place) -> bool {
    points.windows(2).any(|ends| {
        let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
        let steps = ((x1 - x0).hypot(y1 - y0) / 2.0).ceil() as usize;
        (0..=steps).any(|step| {
            let share = step as f64 / steps.max(1) as f64;
            let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
            place.touches(&Place::new((x, y), (x, y)), CLEAR)
        })
    })
}
