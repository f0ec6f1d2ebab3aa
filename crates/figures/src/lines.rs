mod plot;

use crate::{
    Figure, FigureError, Number,
    axis::{self, Scale},
    canvas,
    colour::{INK, SERIES},
    legend::{Line, Look},
};
use plot::Plot;

/// More points than this are drawn without markers.
const MARKED: usize = 24;

/// Named series of (x, y) over one pair of axes.
///
/// ```
/// # fn main() -> Result<(), figures::FigureError> {
/// let figure = figures::Lines::new("Loss on the copy task")
///     .x("step")
///     .y("cross-entropy")
///     .log_y()
///     .line("training", &[(0, 2.4), (100, 0.3), (200, 0.01)])
///     .draw()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Lines {
    title: String,
    alt: Option<String>,
    x: String,
    y: String,
    x_scale: Scale,
    y_scale: Scale,
    y_range: Option<(f64, f64)>,
    small: bool,
    series: Vec<Series>,
    bands: Vec<Band>,
}

#[derive(Debug, Clone)]
struct Series {
    name: String,
    kind: Kind,
    points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Theory,
    Points,
}

#[derive(Debug, Clone)]
struct Band {
    name: String,
    /// x, low, high
    points: Vec<(f64, f64, f64)>,
}

impl Lines {
    /// An empty figure called `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            alt: None,
            x: String::new(),
            y: String::new(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            y_range: None,
            small: false,
            series: Vec::new(),
            bands: Vec::new(),
        }
    }

    /// Says what the x axis is, with its unit.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x = label.into();
        self
    }

    /// Says what the y axis is, with its unit.
    pub fn y(mut self, label: impl Into<String>) -> Self {
        self.y = label.into();
        self
    }

    /// Makes the x axis logarithmic with ticks at powers of two.
    pub fn log2_x(mut self) -> Self {
        self.x_scale = Scale::Log2;
        self
    }

    /// Makes the x axis logarithmic with ticks at powers of ten.
    pub fn log_x(mut self) -> Self {
        self.x_scale = Scale::Log10;
        self
    }

    /// Makes the y axis logarithmic with ticks at powers of two.
    pub fn log2_y(mut self) -> Self {
        self.y_scale = Scale::Log2;
        self
    }

    /// Makes the y axis logarithmic with ticks at powers of ten.
    pub fn log_y(mut self) -> Self {
        self.y_scale = Scale::Log10;
        self
    }

    /// Makes the y axis reach at least from `low` to `high`, for example 0 to 1 for probabilities.
    pub fn y_range(mut self, low: impl Number, high: impl Number) -> Self {
        self.y_range = Some((low.to_f64(), high.to_f64()));
        self
    }

    /// Adds a solid line through `points`, in ascending x; up to 24 points get markers.
    pub fn line<X: Number, Y: Number>(self, name: impl Into<String>, points: &[(X, Y)]) -> Self {
        self.series(name.into(), Kind::Line, points)
    }

    /// Adds a dashed line: what theory says.
    pub fn theory<X: Number, Y: Number>(self, name: impl Into<String>, points: &[(X, Y)]) -> Self {
        self.series(name.into(), Kind::Theory, points)
    }

    /// Adds markers without a line.
    pub fn points<X: Number, Y: Number>(self, name: impl Into<String>, points: &[(X, Y)]) -> Self {
        self.series(name.into(), Kind::Points, points)
    }

    /// Adds a band of (x, low, high); it takes the colour of the line of the same `name` where there is one.
    pub fn band<X: Number, Y: Number>(
        mut self,
        name: impl Into<String>,
        points: &[(X, Y, Y)],
    ) -> Self {
        let points = points
            .iter()
            .map(|&(x, low, high)| (x.to_f64(), low.to_f64(), high.to_f64()))
            .collect();
        self.bands.push(Band { name: name.into(), points });
        self
    }

    /// Sets the text alternative; without it, one is made of the title and the names.
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Draws a smaller figure: 400 units wide, not 640.
    pub fn small(mut self) -> Self {
        self.small = true;
        self
    }

    /// Draws the figure; fails on a series that is empty, not finite or not positive on a logarithmic axis.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.validate()?;
        let plot = Plot::new(self);
        let (width, height) = (plot.width, plot.height);
        canvas::figure(&self.alt_text(), (width, height), "", |canvas| plot.draw(canvas))
    }

    fn series<X: Number, Y: Number>(mut self, name: String, kind: Kind, points: &[(X, Y)]) -> Self {
        let points = points.iter().map(|&(x, y)| (x.to_f64(), y.to_f64())).collect();
        self.series.push(Series { name, kind, points });
        self
    }

    fn error(&self, what: &str, expected: &str, got: impl std::fmt::Display) -> FigureError {
        FigureError::new(&self.title, what, expected, got)
    }

    fn validate(&self) -> Result<(), FigureError> {
        if self.series.is_empty() {
            return Err(self.error("series", "at least one line", "none"));
        }
        let coloured = self.series.iter().filter(|s| s.kind != Kind::Theory);
        let coloured = coloured.count();
        if coloured > SERIES.len() {
            return Err(self.error("series", "at most 8, which colours can tell apart", coloured));
        }
        for series in &self.series {
            let what = format!("series \"{}\"", series.name);
            self.validate_points(&what, &series.points)?;
            let ascending = series.points.is_sorted_by(|a, b| a.0 <= b.0);
            if series.kind != Kind::Points && !ascending {
                return Err(self.error(&what, "x in ascending order", "x that goes back"));
            }
        }
        for band in &self.bands {
            let what = format!("band \"{}\"", band.name);
            let edges: Vec<_> =
                band.points.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]).collect();
            self.validate_points(&what, &edges)?;
            if let Some((x, low, high)) = band.points.iter().find(|(_, low, high)| low > high) {
                let got = format!("({x}, {low}, {high})");
                return Err(self.error(&what, "(x, low, high) with low ≤ high", got));
            }
        }
        if let Some((low, high)) = self.y_range {
            self.validate_points("y_range", &[(1.0, low), (1.0, high)])?;
            if low >= high {
                return Err(self.error("y_range", "low < high", format!("{low} and {high}")));
            }
        }
        Ok(())
    }

    fn validate_points(&self, what: &str, points: &[(f64, f64)]) -> Result<(), FigureError> {
        if points.is_empty() {
            return Err(self.error(what, "at least one point", "none"));
        }
        for &(x, y) in points {
            if !axis::can_show(x) || !axis::can_show(y) {
                return Err(self.error(what, "finite numbers up to 1e100", format!("({x}, {y})")));
            }
            for (name, value, scale) in [("x", x, self.x_scale), ("y", y, self.y_scale)] {
                if scale.is_log() && value <= 0.0 {
                    let expected = format!("{name} > 0 on a logarithmic axis");
                    return Err(self.error(what, &expected, format!("({x}, {y})")));
                }
            }
        }
        Ok(())
    }

    fn alt_text(&self) -> String {
        self.alt.clone().unwrap_or_else(|| {
            let names: Vec<&str> = self.series.iter().map(|s| s.name.as_str()).collect();
            let axes = match (self.y.as_str(), self.x.as_str()) {
                ("", _) | (_, "") => String::new(),
                (y, x) => format!(" {y} over {x}:"),
            };
            format!("{}. Line chart.{axes} {}.", self.title, names.join(", "))
        })
    }

    fn looks(&self) -> Vec<Look> {
        let (mut colours, mut references) = (0.., 0..);
        let mut next = || colours.next().unwrap_or_default();
        self.series
            .iter()
            .map(|series| {
                if series.kind == Kind::Theory {
                    // A second reference takes a colour from the palette's end.
                    let reference: usize = references.next().unwrap_or_default();
                    let colour = match reference {
                        0 => INK,
                        i => SERIES[(SERIES.len() - i % SERIES.len()) % SERIES.len()],
                    };
                    return Look { colour, line: Line::Dashed, marker: None };
                }
                let i: usize = next();
                let points = series.kind == Kind::Points;
                Look {
                    colour: SERIES[i % SERIES.len()],
                    line: if points { Line::None } else { Line::Solid },
                    marker: (points || series.points.len() <= MARKED).then_some(i),
                }
            })
            .collect()
    }
}
