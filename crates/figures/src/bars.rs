use plotters::style::text_anchor::HPos;

use crate::{
    Figure, FigureError, Number,
    canvas::{self, Canvas, Drawn, MARGIN, Title, WIDTH, stroke},
    colour::{INK, SERIES},
    legend::{self, Line, Look},
    text::{self, LABEL, TICK},
};

/// A bar's thickness and the space between groups.
const BAR: f64 = 22.0;
const GAP: f64 = 12.0;
/// The same for stacked bars, of which there may be many.
const STACKED: f64 = 15.0;
const STACKED_GAP: f64 = 3.0;
/// The widest label before it is broken into two lines.
const LABELS: f64 = 190.0;

/// Horizontal bars with their values printed: one per label, or a group per label.
///
/// ```
/// # fn main() -> Result<(), figures::FigureError> {
/// let figure = figures::Bars::new("Memory of the scores")
///     .x("MiB, 4096 tokens, 8 heads")
///     .bar("all at once", 512)
///     .bar("in tiles of 64", 0.125)
///     .draw()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Bars {
    title: String,
    alt: Option<String>,
    x: String,
    names: Vec<String>,
    groups: Vec<(String, Vec<f64>)>,
    decimals: Option<usize>,
    stacked: bool,
}

impl Bars {
    /// An empty figure called `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            alt: None,
            x: String::new(),
            names: Vec::new(),
            groups: Vec::new(),
            decimals: None,
            stacked: false,
        }
    }

    /// Says what the bars' lengths are, with the unit.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x = label.into();
        self
    }

    /// Adds one bar.
    pub fn bar(self, label: impl Into<String>, value: impl Number) -> Self {
        self.group(label, &[value])
    }

    /// Adds a group of bars, one for each of [`names`](Self::names).
    pub fn group<N: Number>(mut self, label: impl Into<String>, values: &[N]) -> Self {
        let values = values.iter().map(|v| v.to_f64()).collect();
        self.groups.push((label.into(), values));
        self
    }

    /// Names the bars of a group; each name has its colour.
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Prints values with `decimals` digits after the point; three significant digits otherwise.
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// Puts the bars of a group end to end, as parts of a whole; their values, none below 0, are not printed.
    pub fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// Sets the text alternative; without it, one is made of the title and all values.
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Draws the figure; fails on no bars, values that are not finite and groups whose size is not that of the names.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.validate()?;
        let plot = Plot::new(self);
        canvas::figure(&self.alt_text(), (WIDTH, plot.height), "", |canvas| plot.draw(canvas))
    }

    fn validate(&self) -> Result<(), FigureError> {
        let error = |what: &str, expected: String, got: String| {
            Err(FigureError::new(&self.title, what, expected, got))
        };
        let size = self.names.len().max(1);
        if self.groups.is_empty() {
            return error("bars", "at least one".to_string(), "none".to_string());
        }
        if size > SERIES.len() {
            return error("names", "at most 8".to_string(), size.to_string());
        }
        for (label, values) in &self.groups {
            let what = format!("bar \"{label}\"");
            if values.len() != size {
                let expected = format!("{size} values, one for each of `names`");
                return error(&what, expected, values.len().to_string());
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite()) {
                return error(&what, "a finite number".to_string(), value.to_string());
            }
            if let (true, Some(value)) = (self.stacked, values.iter().find(|v| **v < 0.0)) {
                let expected = "at least 0, as a part of a stacked bar".to_string();
                return error(&what, expected, value.to_string());
            }
        }
        Ok(())
    }

    fn print(&self, value: f64) -> String {
        match self.decimals {
            Some(decimals) => text::fixed(value, decimals),
            None => text::number(value),
        }
    }

    fn alt_text(&self) -> String {
        self.alt.clone().unwrap_or_else(|| {
            let groups: Vec<String> = self
                .groups
                .iter()
                .map(|(label, values)| {
                    let values: Vec<String> = values.iter().map(|&v| self.print(v)).collect();
                    format!("{label}: {}", values.join(" / "))
                })
                .collect();
            let names = match self.names.len() {
                0 => String::new(),
                _ => format!(" ({})", self.names.join(" / ")),
            };
            let unit = if self.x.is_empty() { String::new() } else { format!(" {}.", self.x) };
            format!("{}. Bar chart{names}.{unit} {}.", self.title, groups.join(", "))
        })
    }
}

/// The layout of one figure.
struct Plot<'a> {
    bars: &'a Bars,
    title: Title,
    labels: Vec<Vec<String>>,
    legend: Vec<(f64, f64)>,
    top: f64,
    height: f64,
    /// Where zero is, and how many units one is worth.
    zero: f64,
    unit: f64,
    /// The height of a group with the space around it.
    group: f64,
    /// The middle of the room for bars.
    middle: f64,
}

impl<'a> Plot<'a> {
    fn new(bars: &'a Bars) -> Self {
        let title = Title::new(&bars.title, WIDTH);
        let labels: Vec<Vec<String>> = bars
            .groups
            .iter()
            .map(|(label, _)| {
                let mut lines = text::wrap(&text::printable(label), TICK, LABELS);
                lines.truncate(2);
                lines.iter().map(|line| text::cut(line, TICK, LABELS)).collect()
            })
            .collect();
        let names = &bars.names;
        let (legend, mut top) = legend::rows(names, TICK, WIDTH, title.bottom() + 2.0);
        top = if names.is_empty() { title.bottom() } else { top } + 10.0;

        let values = || bars.groups.iter().flat_map(|(_, values)| values.iter().copied());
        let low = values().fold(0.0, f64::min);
        let high = match bars.stacked {
            true => bars.groups.iter().map(|(_, values)| values.iter().sum()).fold(0.0, f64::max),
            false => values().fold(0.0, f64::max),
        };
        let printed: Vec<String> = values().map(|v| bars.print(v)).collect();
        let number = if bars.stacked { 0.0 } else { text::widest(&printed, TICK) + 8.0 };
        let left = MARGIN + text::widest(&labels.concat(), TICK) + 10.0;
        let left = if low < 0.0 { left + number } else { left };
        let room = WIDTH - MARGIN - number - left;
        let unit = if high > low { room / (high - low) } else { 0.0 };

        let group = match bars.stacked {
            true => STACKED + STACKED_GAP,
            false => bars.names.len().max(1) as f64 * BAR + GAP,
        };
        let height = top + bars.groups.len() as f64 * group;
        Self {
            bars,
            title,
            labels,
            legend,
            top,
            height: height + if bars.x.is_empty() { 8.0 } else { 34.0 },
            zero: left - low * unit,
            unit,
            group,
            middle: left + room / 2.0,
        }
    }

    fn draw(&self, canvas: &Canvas) -> Drawn {
        canvas.title(&self.title)?;
        for (i, (name, &at)) in self.bars.names.iter().zip(&self.legend).enumerate() {
            let look = Look { colour: SERIES[i], line: Line::Block, marker: None };
            legend::entry(canvas, at, look, name, TICK)?;
        }
        let mut y = self.top;
        for ((_, values), label) in self.bars.groups.iter().zip(&self.labels) {
            let middle = y + self.group / 2.0;
            for (i, line) in label.iter().enumerate() {
                let shift = (i as f64 - (label.len() - 1) as f64 / 2.0) * 17.0;
                canvas.text(MARGIN, middle + shift, HPos::Left, TICK, line)?;
            }
            match self.bars.stacked {
                true => self.parts(canvas, y, values)?,
                false => self.beside(canvas, y + GAP / 2.0, values)?,
            }
            y += self.group;
        }
        canvas.path(&[(self.zero, self.top), (self.zero, y)], stroke(INK, 1.0))?;
        let name = text::cut(&self.bars.x, LABEL, WIDTH - 2.0 * MARGIN);
        // Below the bars, and inside the paper.
        let half = text::width(&name, LABEL) / 2.0;
        let x = self.middle.min(WIDTH - MARGIN - half).max(MARGIN + half);
        canvas.text(x, y + 18.0, HPos::Center, LABEL, &name)
    }

    /// A group's bars below each other, the first at `y`.
    fn beside(&self, canvas: &Canvas, mut y: f64, values: &[f64]) -> Drawn {
        for (i, &value) in values.iter().enumerate() {
            let end = self.zero + value * self.unit;
            let (from, to) = (self.zero.min(end), self.zero.max(end));
            canvas.rect((from, y + 1.0), (to, y + BAR - 1.0), SERIES[i])?;
            let (x, anchor) =
                if value < 0.0 { (from - 6.0, HPos::Right) } else { (to + 6.0, HPos::Left) };
            canvas.text(x, y + BAR / 2.0, anchor, TICK, &self.bars.print(value))?;
            y += BAR;
        }
        Ok(())
    }

    /// A group's bars end to end.
    fn parts(&self, canvas: &Canvas, y: f64, values: &[f64]) -> Drawn {
        let mut from = self.zero;
        for (&value, colour) in values.iter().zip(SERIES) {
            let to = from + value * self.unit;
            let (top, bottom) = (y + STACKED_GAP / 2.0, y + STACKED_GAP / 2.0 + STACKED);
            canvas.rect((from, top), (to, bottom), colour)?;
            from = to;
        }
        Ok(())
    }
}
