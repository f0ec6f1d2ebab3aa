//! Where everything goes.

use std::collections::BTreeMap;

use super::node::{Kind, LINE, Node};
use crate::{canvas::MARGIN, text};

/// How wide a diagram is: on a phone its smallest text has 10 pixels.
pub(super) const SHEET: f64 = 470.0;
/// Between rows, long enough for an arrow.
const GAP: f64 = 30.0;
/// What a frame keeps around its nodes, and what its label takes above them.
const FRAME: f64 = 10.0;

/// What is wrong with a diagram: where, what was expected, what came.
pub(super) type Fault = (String, String, String);

/// A frame around nodes.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) nodes: Vec<String>,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    /// Where arrows from above and below meet it: a grid's labels stand beside that.
    pub(super) axis: f64,
    /// Where arrows from the sides meet it, the height and both ends: a grid's name stands above that.
    pub(super) level: f64,
    pub(super) sides: (f64, f64),
}

impl Place {
    /// A rectangle that arrows meet in the middle of its edges.
    pub(super) fn new((left, top): (f64, f64), (right, bottom): (f64, f64)) -> Self {
        let (axis, level) = ((left + right) / 2.0, (top + bottom) / 2.0);
        Self { left, top, right, bottom, axis, level, sides: (left, right) }
    }

    pub(super) fn middle(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// Whether the two share more than an edge, `apart` added around one.
    pub(super) fn touches(&self, other: &Self, apart: f64) -> bool {
        self.left - apart < other.right
            && other.left < self.right + apart
            && self.top - apart < other.bottom
            && other.top < self.bottom + apart
    }

    fn with(self, other: Self) -> Self {
        Self::new(
            (self.left.min(other.left), self.top.min(other.top)),
            (self.right.max(other.right), self.bottom.max(other.bottom)),
        )
    }
}

/// Places by name, of the frames, and the height of all.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) nodes: BTreeMap<String, Place>,
    pub(super) groups: Vec<Place>,
    pub(super) height: f64,
}

/// Places the rows below `top`.
pub(super) fn place(rows: &[Vec<Node>], groups: &[Group], top: f64) -> Result<Layout, Fault> {
    if rows.iter().all(Vec::is_empty) {
        return Err(("nodes".into(), "at least one".into(), "none".into()));
    }
    let mut nodes = BTreeMap::new();
    let (mut y, mut below) = (top, 0.0);
    for (index, row) in rows.iter().enumerate() {
        let holds = |group: &Group, row: &[Node]| row.iter().any(|n| group.nodes.contains(&n.id));
        let opens = groups.iter().any(|group| {
            holds(group, row) && !rows[..index].iter().any(|earlier| holds(group, earlier))
        });
        y += if index == 0 { 0.0 } else { GAP } + below;
        y += if opens { FRAME + LINE } else { 0.0 };
        below = if groups.iter().any(|group| {
            holds(group, row) && !rows[index + 1..].iter().any(|later| holds(group, later))
        }) {
            FRAME
        } else {
            0.0
        };
        // All nodes of a row meet at one height.
        let most = |side: usize| row.iter().map(|n| n.around(SHEET)[side]).fold(0.0, f64::max);
        let (above, height) = (most(1), most(1) + most(3));
        for (node, place) in row.iter().zip(across(row, y + above)?) {
            if nodes.insert(node.id.clone(), place).is_some() {
                return Err(("nodes".into(), "names that differ".into(), node.id.clone()));
            }
        }
        y += height;
    }
    let groups = groups.iter().map(|group| frame(group, &nodes)).collect::<Result<_, _>>()?;
    Ok(Layout { nodes, groups, height: y + below + MARGIN })
}

/// The places of one row's nodes, which meet at the height `level`.
fn across(row: &[Node], level: f64) -> Result<Vec<Place>, Fault> {
    let sizes: Vec<[f64; 4]> = row.iter().map(|node| node.around(SHEET)).collect();
    let free = SHEET - 2.0 * MARGIN - sizes.iter().map(|size| size[0] + size[2]).sum::<f64>();
    let gap = free / (row.len() + 1) as f64;
    let mut x = MARGIN;
    let mut places: Vec<Place> = vec![];
    for (node, [before, above, behind, below]) in row.iter().zip(sizes) {
        if let Kind::Grid(grid) = &node.kind {
            let columns = grid.columns();
            let uneven = grid.cells.iter().any(|row| row.len() != columns);
            let labels = [(grid.columns.len(), columns), (grid.rows.len(), grid.cells.len())];
            let unlabelled = labels.iter().any(|&(labels, of)| labels != 0 && labels != of);
            let outside = grid.marks.iter().any(|mark| mark.0 > columns);
            if columns == 0 || uneven || unlabelled || outside {
                let expected = "rows of as many cells, a label for each or none, marks at borders";
                return Err((format!("grid \"{}\"", node.id), expected.into(), node.said()));
            }
        }
        x += gap;
        let axis = node.middle.map_or(x + before, |share| share * SHEET);
        let (start, end) = node.sides(SHEET);
        let place = Place {
            axis,
            level,
            sides: (axis - start, axis + end),
            ..Place::new((axis - before, level - above), (axis + behind, level + below))
        };
        let clear = places.last().map_or(MARGIN - 10.0, |last| last.right + 8.0);
        if place.left < clear || place.right > SHEET - 4.0 {
            let got = format!("{:.0} to {:.0}", place.left, place.right);
            let room = format!("a place between {clear:.0} and {:.0}", SHEET - 4.0);
            return Err((format!("node \"{}\"", node.id), room, got));
        }
        places.push(place);
        x += before + behind;
    }
    Ok(places)
}

fn frame(group: &Group, nodes: &BTreeMap<String, Place>) -> Result<Place, Fault> {
    let what = format!("group \"{}\"", group.label);
    let mut all: Option<Place> = None;
    for name in &group.nodes {
        let place =
            nodes.get(name).ok_or_else(|| (what.clone(), known(nodes), format!("\"{name}\"")))?;
        all = Some(all.map_or(*place, |sofar| sofar.with(*place)));
    }
    let inner = all.ok_or_else(|| (what.clone(), "at least one node".into(), "none".into()))?;
    let label = inner.left + text::width(&group.label, super::node::SMALL) + FRAME;
    let outer = Place::new(
        (inner.left - FRAME, inner.top - FRAME - LINE),
        (inner.right.max(label) + FRAME, inner.bottom + FRAME),
    );
    let stranger = nodes
        .iter()
        .find(|(name, place)| !group.nodes.contains(name) && place.touches(&outer, 0.0));
    match stranger {
        Some((name, _)) => Err((what, "only its nodes inside".into(), format!("\"{name}\""))),
        None if outer.left < 1.0 || outer.right > SHEET - 1.0 => {
            Err((what, format!("room within {SHEET}"), format!("{:.0}", outer.right)))
        }
        None => Ok(outer),
    }
}

/// The names there are, for a message.
pub(super) fn known(nodes: &BTreeMap<String, Place>) -> String {
    format!("one of {:?}", nodes.keys().collect::<Vec<_>>())
}
