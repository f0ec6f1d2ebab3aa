use crate::{
    Role,
    text::{self, SMALLEST},
};

/// Text sizes: names, and all else. The sheet is so narrow that a phone shows the smaller one at 10 pixels.
pub(super) const NAME: f64 = 16.0;
pub(super) const SMALL: f64 = SMALLEST;
/// The height of a line of either.
pub(super) const LINE: f64 = 19.0;
/// Between a grid's name and its shape.
pub(super) const BESIDE: f64 = 7.0;
/// The height of a grid's cells and their least width.
pub(super) const CELL: f64 = 30.0;
/// Space below a grid for its marks.
pub(super) const MARKS: f64 = 28.0;

/// Something in a diagram: a tensor, a step, a note or a grid of cells.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) id: String,
    pub(super) role: Role,
    /// The name, in one or more lines.
    pub(super) name: Vec<String>,
    /// Smaller lines below it, or behind it.
    pub(super) small: Vec<String>,
    pub(super) kind: Kind,
    pub(super) middle: Option<f64>,
    pub(super) width: f64,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Tensor,
    Step,
    Note,
    Grid(Grid),
}

#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) cells: Vec<Vec<Cell>>,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<String>,
    pub(super) marks: Vec<(usize, String)>,
}

/// A cell of a grid.
#[derive(Debug, Clone)]
pub struct Cell {
    pub(super) role: Role,
    pub(super) text: String,
    pub(super) strength: f64,
    pub(super) empty: bool,
}

impl Cell {
    /// A cell in a role's colour.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), strength: 0.35, empty: false }
    }

    /// A cell that holds nothing: no colour, a thin edge.
    pub fn empty(text: impl Into<String>) -> Self {
        Self { empty: true, ..Self::new(Role::Plain, text) }
    }

    /// How strong its colour is, from 0 to 1: a weight, for instance.
    pub fn strength(mut self, strength: f64) -> Self {
        self.strength = strength.clamp(0.0, 1.0);
        self
    }
}

impl Node {
    fn new(role: Role, name: impl Into<String>, kind: Kind) -> Self {
        let id: String = name.into();
        let name = id.lines().map(str::to_owned).collect();
        Self { id, role, name, small: vec![], kind, middle: None, width: 0.0 }
    }

    /// A box in a role's colour.
    pub fn tensor(role: Role, name: impl Into<String>) -> Self {
        Self::new(role, name, Kind::Tensor)
    }

    /// An operation.
    pub fn step(name: impl Into<String>) -> Self {
        Self::new(Role::Plain, name, Kind::Step)
    }

    /// Words without a box.
    pub fn note(words: impl Into<String>) -> Self {
        Self::new(Role::Plain, words, Kind::Note)
    }

    /// Cells in rows, below their name.
    pub fn grid<R: IntoIterator<Item = Cell>>(
        role: Role,
        name: impl Into<String>,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let cells = rows.into_iter().map(|row| row.into_iter().collect()).collect();
        let grid = Grid { cells, columns: vec![], rows: vec![], marks: vec![] };
        Self::new(role, name, Kind::Grid(grid))
    }

    /// Adds a smaller line: a shape, a number, what it is.
    pub fn shape(mut self, shape: impl Into<String>) -> Self {
        self.small.push(shape.into());
        self
    }

    /// The name that arrows and groups use, in place of the label.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Where its middle is, from 0 at the left edge to 1 at the right one; of a grid, the middle of its cells.
    pub fn at(mut self, share: f64) -> Self {
        self.middle = Some(share);
        self
    }

    /// How wide a box is at least, as a share of the sheet.
    pub fn width(mut self, share: f64) -> Self {
        self.width = share;
        self
    }

    /// Labels above a grid's columns.
    pub fn columns<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        if let Kind::Grid(grid) = &mut self.kind {
            grid.columns = labels.into_iter().map(Into::into).collect();
        }
        self
    }

    /// Labels left of a grid's rows.
    pub fn rows<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        if let Kind::Grid(grid) = &mut self.kind {
            grid.rows = labels.into_iter().map(Into::into).collect();
        }
        self
    }

    /// A mark at the border on the left of a grid's column, with words below the grid.
    pub fn mark(mut self, column: usize, words: impl Into<String>) -> Self {
        if let Kind::Grid(grid) = &mut self.kind {
            grid.marks.push((column, words.into()));
        }
        self
    }

    /// Width and height of what is no grid.
    fn size(&self, sheet: f64) -> (f64, f64) {
        let lines = self.lines() as f64 * LINE;
        // Bold letters are wider.
        let (name, small) =
            (1.08 * text::widest(&self.name, NAME), text::widest(&self.small, SMALL));
        let words = name.max(small);
        let least = self.width * sheet;
        match &self.kind {
            Kind::Note => (text::widest(&self.name, SMALL).max(least), lines),
            Kind::Step => ((words + 28.0).max(least), lines + 11.0),
            Kind::Tensor => ((words + 24.0).max(70.0).max(least), lines + 13.0),
            Kind::Grid(_) => (0.0, 0.0),
        }
    }

    /// What stands left, above, right and below of the point at which rows and arrows meet it: its middle, or the middle
    /// of a grid's cells.
    pub(super) fn around(&self, sheet: f64) -> [f64; 4] {
        let Kind::Grid(grid) = &self.kind else {
            let (width, height) = self.size(sheet);
            return [width / 2.0, height / 2.0, width / 2.0, height / 2.0];
        };
        let (label, columns) = grid.margins();
        let (wide, high) = grid.cells_size();
        let (half, marks) = (self.head() / 2.0, grid.marks_height());
        [
            (label + wide / 2.0).max(half),
            self.lines() as f64 * LINE + columns + high / 2.0,
            (wide / 2.0).max(half),
            high / 2.0 + marks,
        ]
    }

    /// How far from that point arrows from the left and from the right end.
    pub(super) fn sides(&self, sheet: f64) -> (f64, f64) {
        match &self.kind {
            Kind::Grid(grid) => {
                let half = grid.cells_size().0 / 2.0;
                (grid.margins().0 + half, half)
            }
            _ => (self.size(sheet).0 / 2.0, self.size(sheet).0 / 2.0),
        }
    }

    /// How wide a grid's name and its shape are.
    fn head(&self) -> f64 {
        // Bold letters are wider.
        let name = 1.08 * text::widest(&self.name, NAME);
        let small = text::widest(&self.small, SMALL);
        if self.small.is_empty() { name } else { name + BESIDE + small }
    }

    /// How many lines of words it has. A grid's smaller ones stand behind its name.
    pub(super) fn lines(&self) -> usize {
        let small = if matches!(self.kind, Kind::Grid(_)) { 0 } else { self.small.len() };
        self.name.len() + small
    }

    /// What it is, in words.
    pub(super) fn said(&self) -> String {
        let mut said = self.name.join(" ");
        if !self.small.is_empty() {
            said += &format!(" {}", self.small.join(" "));
        }
        if let Kind::Grid(grid) = &self.kind {
            let row = |row: &Vec<Cell>| {
                row.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" ")
            };
            said += &format!(": {}", grid.cells.iter().map(row).collect::<Vec<_>>().join(" / "));
        }
        said
    }
}

impl Grid {
    pub(super) fn columns(&self) -> usize {
        self.cells.first().map_or(0, Vec::len)
    }

    /// The width of a cell.
    pub(super) fn cell(&self) -> f64 {
        let texts = self.cells.iter().flatten().map(|cell| cell.text.as_str());
        let widest = texts.chain(self.columns.iter().map(String::as_str));
        widest.map(|text| text::width(text, SMALL) + 10.0).fold(CELL, f64::max).ceil()
    }

    /// Width and height of all cells.
    fn cells_size(&self) -> (f64, f64) {
        (self.columns() as f64 * self.cell(), self.cells.len() as f64 * CELL)
    }

    /// What marks take below.
    fn marks_height(&self) -> f64 {
        if self.marks.is_empty() { 0.0 } else { MARKS }
    }

    /// What labels take at the left and at the top.
    pub(super) fn margins(&self) -> (f64, f64) {
        let rows = text::widest(&self.rows, SMALL);
        let left = if rows > 0.0 { rows + 8.0 } else { 0.0 };
        (left, if self.columns.is_empty() { 0.0 } else { LINE })
    }
}
