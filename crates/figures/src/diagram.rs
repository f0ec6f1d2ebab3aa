//! Boxes, grids and arrows that show what flows where, and in which shape.

mod layout;
mod node;
mod paint;
mod route;

pub use node::{Cell, Node};
#[cfg(test)]
pub(crate) use paint::{STRONGEST, TINT};

use crate::{
    Figure, FigureError,
    canvas::{self, Title},
};
use layout::{Group, SHEET};
use route::{Arrow, Way};

/// A diagram: rows of [`Node`]s from top to bottom, arrows between them, frames around some.
///
/// A row's nodes share the width evenly, unless a node says where its middle is. Nothing may overlap, and no arrow may
/// run through a node: [`draw`](Self::draw) fails instead. Names of nodes are their labels, unless they have an `id`.
///
/// ```
/// use figures::{Diagram, Node, Role};
/// # fn main() -> Result<(), figures::FigureError> {
/// Diagram::new("A query meets the keys")
///     .row([
///         Node::tensor(Role::Query, "Q").shape("(1, 5)"),
///         Node::tensor(Role::Key, "K").shape("(3, 5)"),
///     ])
///     .row([Node::step("Q · Kᵀ")])
///     .row([Node::tensor(Role::Scores, "scores").shape("(1, 3)")])
///     .arrow("Q", "Q · Kᵀ")
///     .arrow("K", "Q · Kᵀ")
///     .arrow("Q · Kᵀ", "scores")
///     .draw()?
/// # ;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Diagram {
    title: String,
    alt: Option<String>,
    rows: Vec<Vec<Node>>,
    arrows: Vec<Arrow>,
    groups: Vec<Group>,
}

impl Diagram {
    /// An empty diagram called `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), alt: None, rows: vec![], arrows: vec![], groups: vec![] }
    }

    /// Adds a row below the others.
    pub fn row(mut self, nodes: impl IntoIterator<Item = Node>) -> Self {
        self.rows.push(nodes.into_iter().collect());
        self
    }

    /// An arrow straight down, up or across; where that would miss the node, down and then into its side.
    pub fn arrow(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.add(from.into(), to.into(), Way::Down, "")
    }

    /// The same with a few words beside it.
    pub fn arrow_with(
        self,
        from: impl Into<String>,
        to: impl Into<String>,
        words: impl Into<String>,
    ) -> Self {
        self.add(from.into(), to.into(), Way::Down, &words.into())
    }

    /// An arrow out of a node's side, and then down or up into another.
    pub fn elbow(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.add(from.into(), to.into(), Way::Across, "")
    }

    /// An arrow straight to a node that stands further left or right, beside what goes straight down.
    pub fn slanted(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.add(from.into(), to.into(), Way::Slanted, "")
    }

    fn add(mut self, from: String, to: String, way: Way, words: &str) -> Self {
        self.arrows.push(Arrow { from, to, way, words: words.to_owned() });
        self
    }

    /// A frame around some nodes, with a label in its upper left corner.
    pub fn group<S: Into<String>>(
        mut self,
        label: impl Into<String>,
        nodes: impl IntoIterator<Item = S>,
    ) -> Self {
        let nodes = nodes.into_iter().map(Into::into).collect();
        self.groups.push(Group { label: label.into(), nodes });
        self
    }

    /// Says what is seen; without it, all nodes and arrows are listed.
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Draws the figure; fails on no nodes, names that are used twice or unknown, grids of uneven rows, on what does not
    /// fit beside each other, and on an arrow through a node that it does not belong to.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        let fail = |(what, expected, got): layout::Fault| {
            FigureError::new(&self.title, &what, expected, got)
        };
        let title = Title::new(&self.title, SHEET);
        let layout =
            layout::place(&self.rows, &self.groups, title.bottom() + 12.0).map_err(fail)?;
        let routes = route::routes(&self.arrows, &layout.nodes, &layout.groups).map_err(fail)?;
        let body = paint::body(&title, &self.rows, &self.groups, &layout, &routes);
        Ok(canvas::document(&self.alt_text(), (SHEET, layout.height), &body))
    }

    fn alt_text(&self) -> String {
        if let Some(alt) = &self.alt {
            return alt.clone();
        }
        let said = |row: &Vec<Node>| row.iter().map(Node::said).collect::<Vec<_>>().join("; ");
        let rows: Vec<String> = self.rows.iter().map(said).collect();
        let arrows: Vec<String> =
            self.arrows.iter().map(|arrow| format!("{} to {}", arrow.from, arrow.to)).collect();
        let mut alt = format!("{}. Diagram, from top to bottom: {}.", self.title, rows.join(". "));
        if !arrows.is_empty() {
            alt += &format!(" Arrows: {}.", arrows.join(", "));
        }
        alt
    }
}
