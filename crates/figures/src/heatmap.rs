mod cells;
mod layout;
mod paint;

use crate::{Figure, FigureError, Number, canvas, text};
use layout::Layout;

/// The most rows or columns that a panel can show.
const MOST: usize = 128;

/// A matrix as coloured cells, or several of one shape with one shared colour scale.
///
/// Rows go down and columns go right: queries and keys of an attention matrix. NaN and infinite values are marked as
/// such and leave the colour scale alone.
///
/// ```
/// # fn main() -> Result<(), figures::FigureError> {
/// let weights = [1.0f32, 0.0, 0.27, 0.73];
/// let figure = figures::Heatmap::new("Attention weights", 2, 2, &weights)
///     .row_labels(["the", "cat"])
///     .col_labels(["the", "cat"])
///     .x("key")
///     .y("query")
///     .print_values(2)
///     .draw()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Heatmap {
    title: String,
    alt: Option<String>,
    rows: usize,
    cols: usize,
    panels: Vec<Panel>,
    row_labels: Option<Vec<String>>,
    col_labels: Option<Vec<String>>,
    x: String,
    y: String,
    decimals: Option<usize>,
    range: Option<(f64, f64)>,
    mask: bool,
}

#[derive(Debug, Clone)]
struct Panel {
    name: String,
    /// Row by row.
    values: Vec<f64>,
}

impl Heatmap {
    /// A matrix of `rows` × `cols` values, row by row.
    pub fn new<N: Number>(
        title: impl Into<String>,
        rows: usize,
        cols: usize,
        values: &[N],
    ) -> Self {
        Self::grid(title, rows, cols, [("", values)])
    }

    /// One panel for each (name, values), all of `rows` × `cols` values: for example one a head.
    pub fn grid<S: Into<String>, V: AsRef<[N]>, N: Number>(
        title: impl Into<String>,
        rows: usize,
        cols: usize,
        panels: impl IntoIterator<Item = (S, V)>,
    ) -> Self {
        let panels = panels
            .into_iter()
            .map(|(name, values)| Panel {
                name: name.into(),
                values: values.as_ref().iter().map(|v| v.to_f64()).collect(),
            })
            .collect();
        Self {
            title: title.into(),
            alt: None,
            rows,
            cols,
            panels,
            row_labels: None,
            col_labels: None,
            x: String::new(),
            y: String::new(),
            decimals: None,
            range: None,
            mask: false,
        }
    }

    /// Names the rows, from the top; without names a single panel counts them from 0.
    pub fn row_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.row_labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Names the columns, from the left; without names a single panel counts them from 0.
    pub fn col_labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.col_labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Says what the columns are.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x = label.into();
        self
    }

    /// Says what the rows are.
    pub fn y(mut self, label: impl Into<String>) -> Self {
        self.y = label.into();
        self
    }

    /// Prints each value with `decimals` digits after the point; they must fit the cells.
    pub fn print_values(mut self, decimals: usize) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// Fixes the values of the lightest and the darkest colour, for example 0 and 1; values beyond take the end's colour.
    pub fn range(mut self, low: impl Number, high: impl Number) -> Self {
        self.range = Some((low.to_f64(), high.to_f64()));
        self
    }

    /// Draws a keep mask: 1 or `true` is a dot (may attend), 0 or `false` a cross (may not).
    pub fn mask(mut self) -> Self {
        self.mask = true;
        self
    }

    /// Sets the text alternative; without it, one is made of the title, the shape and the range of the values.
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Draws the figure; fails where numbers and shape or labels and shape disagree, or where values do not fit their cells.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.validate()?;
        let layout = Layout::new(self);
        if let Some(decimals) = self.decimals {
            self.validate_print(&layout, decimals)?;
        }
        let cells = paint::cells(self, &layout);
        canvas::figure(&self.alt_text(), (layout.width, layout.height), &cells, |canvas| {
            paint::texts(self, &layout, canvas)
        })
    }

    fn error(&self, what: &str, expected: String, got: impl std::fmt::Display) -> FigureError {
        FigureError::new(&self.title, what, expected, got)
    }

    fn validate(&self) -> Result<(), FigureError> {
        let (rows, cols) = (self.rows, self.cols);
        if !(1..=MOST).contains(&rows) || !(1..=MOST).contains(&cols) {
            let expected = format!("1 to {MOST} rows and columns (show a part of a larger matrix)");
            return Err(self.error("shape", expected, format!("{rows} × {cols}")));
        }
        if self.panels.is_empty() {
            return Err(self.error("panels", "at least one".to_string(), "none"));
        }
        for (i, panel) in self.panels.iter().enumerate() {
            let what = match panel.name.as_str() {
                "" => format!("values of panel {i}"),
                name => format!("values of \"{name}\""),
            };
            let got = panel.values.len();
            if got != rows * cols {
                let expected = format!("{rows} × {cols} = {} values", rows * cols);
                return Err(self.error(&what, expected, got));
            }
            let odd = panel.values.iter().find(|&&v| v != 0.0 && v != 1.0);
            if let (true, Some(odd)) = (self.mask, odd) {
                let expected = "0 or 1 in a keep mask (an additive mask needs no `.mask()`)";
                return Err(self.error(&what, expected.to_string(), odd));
            }
        }
        for (what, labels, count) in
            [("row labels", &self.row_labels, rows), ("column labels", &self.col_labels, cols)]
        {
            if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != count) {
                return Err(self.error(what, format!("{count}, one each"), labels.len()));
            }
        }
        match self.range {
            Some((low, high)) if !(low < high && low.is_finite() && high.is_finite()) => {
                let got = format!("{low} and {high}");
                Err(self.error("range", "finite low < high".to_string(), got))
            }
            _ => Ok(()),
        }
    }

    fn validate_print(&self, layout: &Layout, decimals: usize) -> Result<(), FigureError> {
        let values = self.panels.iter().flat_map(|panel| &panel.values);
        let widest = values
            .map(|&value| layout::printed(value, decimals))
            .max_by(|a, b| {
                let width = |s: &str| text::width(s, text::SMALLEST);
                width(a).total_cmp(&width(b))
            })
            .unwrap_or_default();
        if layout.fits(&widest) {
            return Ok(());
        }
        let expected = format!(
            "values that fit cells of {} × {} units (print fewer digits, or leave `print_values` out)",
            layout.cell.0, layout.cell.1
        );
        Err(self.error("print_values", expected, format!("\"{widest}\"")))
    }

    /// The values of the lightest and the darkest colour.
    fn bounds(&self) -> Option<(f64, f64)> {
        let values = || self.panels.iter().flat_map(|p| &p.values).copied();
        let finite = || values().filter(|v| v.is_finite());
        let (low, high) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
        Some(self.range.unwrap_or((low, high)))
    }

    fn alt_text(&self) -> String {
        self.alt.clone().unwrap_or_else(|| {
            let kind = if self.mask { "Mask" } else { "Heatmap" };
            let mut alt = format!("{}. {kind} of {} × {} cells", self.title, self.rows, self.cols);
            if self.panels.len() > 1 {
                alt += &format!(" in {} panels", self.panels.len());
            }
            if !self.x.is_empty() && !self.y.is_empty() {
                alt += &format!(", rows: {}, columns: {}", self.y, self.x);
            }
            match (self.mask, self.bounds()) {
                (true, _) | (_, None) => {}
                (_, Some((low, high))) => {
                    alt += &format!(", from {} to {}", text::number(low), text::number(high));
                }
            }
            alt + "."
        })
    }
}
