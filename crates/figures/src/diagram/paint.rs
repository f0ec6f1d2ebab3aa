//! The SVG of a diagram that has been laid out.

use std::fmt::Write as _;

use super::layout::{Group, Layout, Place};
use super::node::{BESIDE, CELL, Grid, Kind, LINE, MARKS, NAME, Node, SMALL};
use super::route::{self, Route};
use crate::{
    canvas::{self, MARGIN, Title},
    colour::{BAND, GRID, INK, PAPER, hex},
    role::Role,
    text,
};

/// How much of its colour a box has, and the strongest cell.
pub(crate) const TINT: f64 = 0.14;
pub(crate) const STRONGEST: f64 = 0.45;
/// An arrow's head, and the radius of its bends.
const HEAD: f64 = 9.0;
const BEND: f64 = 8.0;

pub(super) fn body(
    title: &Title,
    rows: &[Vec<Node>],
    groups: &[Group],
    layout: &Layout,
    routes: &[Route],
) -> String {
    let mut svg = Svg(String::new());
    for (i, line) in title.lines().iter().enumerate() {
        let y = MARGIN + (i as f64 + 0.5) * Title::LINE;
        svg.text((MARGIN, y), "start", text::TITLE, true, line);
    }
    for (group, place) in groups.iter().zip(&layout.groups) {
        svg.rect(
            place,
            8.0,
            &format!(
                "fill=\"{0}\" fill-opacity=\"0.06\" stroke=\"{0}\" stroke-dasharray=\"5 4\"",
                hex(BAND)
            ),
        );
        let left = route::label_left(place, &group.label, routes);
        let at = (left, place.top + LINE / 2.0 + 3.0);
        svg.text(at, "start", SMALL, false, &group.label);
    }
    for route in routes {
        // It brings what it comes from.
        let role = rows.iter().flatten().find(|node| node.id == route.from).map(|node| node.role);
        svg.arrow(&route.points, role.unwrap_or(Role::Plain));
        if let Some((words, at)) = &route.words {
            svg.text((at.left, at.middle().1), "start", SMALL, false, words);
        }
    }
    for node in rows.iter().flatten() {
        if let Some(place) = layout.nodes.get(&node.id) {
            svg.node(node, place);
        }
    }
    svg.0
}

struct Svg(String);

impl Svg {
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, size: f64, bold: bool, text: &str) {
        let anchor = if anchor == "start" { "" } else { " text-anchor=\"middle\"" };
        let bold = if bold { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" dy=\"0.35em\"{anchor} font-size=\"{size}\"{bold} fill=\"{}\">{}</text>",
            hex(INK),
            canvas::escape(&text::printable(text))
        );
    }

    fn rect(&mut self, place: &Place, round: f64, look: &str) {
        let (width, height) = (place.right - place.left, place.bottom - place.top);
        let _ = writeln!(
            self.0,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\" {look}/>",
            place.left, place.top
        );
    }

    /// A box on paper, so that arrows end at its edge.
    fn tinted(&mut self, place: &Place, round: f64, role: Role, tint: f64, stroke: f64) {
        let colour = hex(role.colour());
        self.rect(place, round, &format!("fill=\"{PAPER}\""));
        let look = format!(
            "fill=\"{colour}\" fill-opacity=\"{tint:.2}\" stroke=\"{colour}\" stroke-width=\"{stroke}\""
        );
        self.rect(place, round, &look);
    }

    fn arrow(&mut self, points: &[(f64, f64)], role: Role) {
        let [.., (from_x, from_y), (x, y)] = points else { return };
        let length = (x - from_x).hypot(y - from_y).max(1e-9);
        let (dx, dy) = ((x - from_x) / length, (y - from_y) / length);
        let neck = (x - dx * HEAD, y - dy * HEAD);
        let mut path = format!("M{:.1} {:.1}", points[0].0, points[0].1);
        for ends in points.windows(3) {
            let [before, corner, after] = [ends[0], ends[1], ends[2]];
            let (into, out) = (towards(corner, before, BEND), towards(corner, after, BEND));
            let _ = write!(
                path,
                "L{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
                into.0, into.1, corner.0, corner.1, out.0, out.1
            );
        }
        let _ = write!(path, "L{:.1} {:.1}", neck.0, neck.1);
        let (wx, wy) = (-dy * HEAD * 0.5, dx * HEAD * 0.5);
        let colour = hex(role.colour());
        let _ = writeln!(
            self.0,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <path d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}z\" fill=\"{colour}\"/>",
            neck.0 + wx,
            neck.1 + wy,
            neck.0 - wx,
            neck.1 - wy
        );
    }

    fn node(&mut self, node: &Node, place: &Place) {
        match &node.kind {
            Kind::Tensor => self.tinted(place, 6.0, node.role, TINT, 2.0),
            Kind::Step => {
                let round = (place.bottom - place.top) / 2.0;
                self.tinted(place, round, node.role, 0.0, 1.5);
            }
            Kind::Note => {}
            Kind::Grid(grid) => return self.grid(node, grid, place),
        }
        let note = matches!(node.kind, Kind::Note);
        let (x, middle) = place.middle();
        let mut y = middle - (node.lines() as f64 - 1.0) / 2.0 * LINE;
        let size = if note { SMALL } else { NAME };
        let names = node.name.iter().map(|line| (line, size, !note));
        for (line, size, bold) in names.chain(node.small.iter().map(|line| (line, SMALL, false))) {
            self.text((x, y), "middle", size, bold, line);
            y += LINE;
        }
    }

    /// A grid's name and, behind it, its shape; the middle of the first line is at `y`.
    fn head(&mut self, node: &Node, (x, y): (f64, f64)) {
        for (i, line) in node.name.iter().enumerate() {
            let last = i + 1 == node.name.len();
            let small = if last { node.small.join(" ") } else { String::new() };
            let y = y + i as f64 * LINE;
            if small.is_empty() {
                self.text((x, y), "middle", NAME, true, line);
                continue;
            }
            let escaped = |text: &str| canvas::escape(&text::printable(text));
            let _ = writeln!(
                self.0,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" dy=\"0.35em\" text-anchor=\"middle\" font-size=\"{NAME}\" font-weight=\"bold\" \
                 fill=\"{}\">{}<tspan dx=\"{BESIDE}\" font-size=\"{SMALL}\" font-weight=\"normal\">{}</tspan></text>",
                hex(INK),
                escaped(line),
                escaped(&small)
            );
        }
    }

    fn grid(&mut self, node: &Node, grid: &Grid, place: &Place) {
        let (label, head) = grid.margins();
        let wide = grid.cell();
        let left = place.axis - wide * grid.columns() as f64 / 2.0;
        let top = place.level - CELL * grid.cells.len() as f64 / 2.0;
        let above = top - head;
        self.head(node, (place.axis, above - (node.lines() as f64 - 0.5) * LINE));
        for (column, words) in grid.columns.iter().enumerate() {
            let x = left + (column as f64 + 0.5) * wide;
            self.text((x, above + LINE / 2.0), "middle", SMALL, false, words);
        }
        for (row, cells) in grid.cells.iter().enumerate() {
            let y = top + row as f64 * CELL;
            if let Some(words) = grid.rows.get(row) {
                self.text((left - label, y + CELL / 2.0), "start", SMALL, false, words);
            }
            for (column, cell) in cells.iter().enumerate() {
                let x = left + column as f64 * wide;
                let edges = Place::new((x + 1.0, y + 1.0), (x + wide - 1.0, y + CELL - 1.0));
                if cell.empty {
                    let look = format!(
                        "fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"",
                        hex(GRID)
                    );
                    self.rect(&edges, 3.0, &look);
                } else {
                    self.tinted(&edges, 3.0, cell.role, STRONGEST * cell.strength, 1.5);
                }
                let at = (x + wide / 2.0, y + CELL / 2.0);
                self.text(at, "middle", SMALL, false, &cell.text);
            }
        }
        let bottom = top + grid.cells.len() as f64 * CELL;
        for (column, words) in &grid.marks {
            let x = left + *column as f64 * wide;
            let _ = writeln!(
                self.0,
                "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"{}\" stroke-width=\"2.5\"/>",
                bottom - CELL - 3.0,
                bottom + 8.0,
                hex(INK)
            );
            self.text((x, bottom + MARKS - 10.0), "middle", NAME, true, words);
        }
    }
}

/// The point `far` from `corner` on the way to `other`.
fn towards(corner: (f64, f64), other: (f64, f64), far: f64) -> (f64, f64) {
    let (dx, dy) = (other.0 - corner.0, other.1 - corner.1);
    let share = (far / dx.hypot(dy).max(1e-9)).min(0.5);
    (corner.0 + dx * share, corner.1 + dy * share)
}
