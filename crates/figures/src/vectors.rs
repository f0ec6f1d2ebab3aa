use plotters::style::text_anchor::HPos;

use crate::{
    Figure, FigureError, Number,
    axis::{self, Axis, Scale},
    canvas::{self, Canvas, Drawn, MARGIN, Title, stroke},
    colour::{GRID, INK, SERIES},
    legend,
    text::{self, LABEL, SMALLEST},
};

/// How wide the figure is, and the most space that the plane takes.
const WIDTH: f64 = 480.0;
const PLANE: (f64, f64) = (WIDTH - 2.0 * MARGIN, 330.0);
/// Space around the arrows, for their names.
const EDGE: f64 = 34.0;

/// Arrows from the origin of the plane, both axes to the same scale: the dot product as similarity.
///
/// ```
/// # fn main() -> Result<(), figures::FigureError> {
/// let figure = figures::Vectors2d::new("A query and two keys")
///     .vector("q", [2.0, 1.0])
///     .vector("k₁", [1.0, 2.0])
///     .vector("k₂", [-1.0, 1.5])
///     .angle("q", "k₁")
///     .draw()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Vectors2d {
    title: String,
    alt: Option<String>,
    vectors: Vec<(String, [f64; 2])>,
    angles: Vec<(String, String)>,
}

impl Vectors2d {
    /// An empty figure called `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), alt: None, vectors: Vec::new(), angles: Vec::new() }
    }

    /// Adds an arrow from the origin to `tip`.
    pub fn vector<N: Number>(mut self, name: impl Into<String>, tip: [N; 2]) -> Self {
        self.vectors.push((name.into(), tip.map(Number::to_f64)));
        self
    }

    /// Draws the arc between two vectors, with its degrees; the first word of a vector's name is enough.
    pub fn angle(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.angles.push((from.into(), to.into()));
        self
    }

    /// Sets the text alternative; without it, one is made of the title and the vectors.
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Draws the figure; fails on no vectors, numbers that are not finite and angles of unknown or zero vectors.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.validate()?;
        let arcs = self
            .angles
            .iter()
            .map(|(from, to)| Ok((self.direction(from)?, self.direction(to)?)))
            .collect::<Result<Vec<_>, FigureError>>()?;
        let plane = Plane::new(self);
        canvas::figure(&self.alt_text(), (WIDTH, plane.height), "", |canvas| {
            plane.draw(self, &arcs, canvas)
        })
    }

    fn validate(&self) -> Result<(), FigureError> {
        let error = |what: &str, expected: &str, got: String| {
            Err(FigureError::new(&self.title, what, expected, got))
        };
        if !(1..=SERIES.len()).contains(&self.vectors.len()) {
            return error("vectors", "1 to 8", self.vectors.len().to_string());
        }
        for (name, tip) in &self.vectors {
            if tip.iter().any(|&c| !axis::can_show(c)) {
                return error(
                    &format!("vector \"{name}\""),
                    "finite numbers up to 1e100",
                    format!("{tip:?}"),
                );
            }
        }
        let lengths = self.vectors.iter().map(|(_, tip)| tip[0].hypot(tip[1]));
        if lengths.fold(0.0, f64::max) < 1e-90 {
            return error("vectors", "one that is not zero", "zeros only".to_string());
        }
        Ok(())
    }

    /// The direction of the vector called `name`, in radians.
    fn direction(&self, name: &str) -> Result<f64, FigureError> {
        let named = |known: &str| known == name || known.split(' ').next() == Some(name);
        let found = self.vectors.iter().find(|(known, _)| named(known));
        match found {
            Some((_, tip)) if *tip != [0.0, 0.0] => Ok(tip[1].atan2(tip[0])),
            found => {
                let names: Vec<&str> = self.vectors.iter().map(|(n, _)| n.as_str()).collect();
                let expected = format!("the name of a vector that is not zero, of {names:?}");
                let got = match found {
                    Some(_) => format!("\"{name}\", which is zero"),
                    None => format!("\"{name}\""),
                };
                Err(FigureError::new(&self.title, "angle", expected, got))
            }
        }
    }

    fn alt_text(&self) -> String {
        self.alt.clone().unwrap_or_else(|| {
            let vectors: Vec<String> = self
                .vectors
                .iter()
                .map(|(name, [x, y])| {
                    format!("{name} ({}, {})", text::number(*x), text::number(*y))
                })
                .collect();
            format!("{}. Vectors from the origin: {}.", self.title, vectors.join(", "))
        })
    }
}

/// The layout: where the origin is and how many units one is worth.
struct Plane {
    title: Title,
    height: f64,
    top: f64,
    origin: (f64, f64),
    unit: f64,
    x: Axis,
    /// Heights of the horizontal grid lines.
    rows: Vec<f64>,
}

impl Plane {
    fn new(figure: &Vectors2d) -> Self {
        let title = Title::new(&figure.title, WIDTH);
        let extent = |i: usize| {
            let tips = figure.vectors.iter().map(|(_, tip)| tip[i]);
            tips.fold((0.0f64, 0.0f64), |(low, high), v| (low.min(v), high.max(v)))
        };
        let (x, y) = (extent(0), extent(1));
        let room = (PLANE.0 - 2.0 * EDGE, PLANE.1 - 2.0 * EDGE);
        let unit = (room.0 / (x.1 - x.0)).min(room.1 / (y.1 - y.0));
        let used = (x.1 - x.0) * unit;
        let left = MARGIN + EDGE + (room.0 - used) / 2.0 - x.0 * unit;
        let top = title.bottom() + 6.0;
        let high = (y.1 - y.0) * unit + 2.0 * EDGE;
        let origin = (left, top + EDGE + y.1 * unit);
        // Grid lines reach a little beyond the arrows, and are squares.
        let x = Axis::new(
            Scale::Linear,
            (MARGIN - left) / unit,
            (WIDTH - MARGIN - left) / unit,
            7,
            false,
        );
        Self {
            rows: x.same_ticks((origin.1 - top - high) / unit, (origin.1 - top) / unit),
            x,
            title,
            height: top + high + 26.0,
            top,
            origin,
            unit,
        }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.origin.0 + x * self.unit, self.origin.1 - y * self.unit)
    }

    fn draw(&self, figure: &Vectors2d, arcs: &[(f64, f64)], canvas: &Canvas) -> Drawn {
        canvas.title(&self.title)?;
        self.draw_grid(canvas)?;
        let mut taken = Vec::new();
        for (i, &(from, to)) in arcs.iter().enumerate() {
            let radius = 44.0 + 26.0 * i as f64;
            taken.push(self.draw_arc(canvas, from, to, radius)?);
        }
        for ((_, tip), colour) in figure.vectors.iter().zip(SERIES) {
            let (from, to) = (self.at(0.0, 0.0), self.at(tip[0], tip[1]));
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length < 1.0 {
                legend::marker(canvas, to, 0, colour)?;
                continue;
            }
            let (dx, dy) = ((to.0 - from.0) / length, (to.1 - from.1) / length);
            let head = 13.0f64.min(length * 0.6);
            let neck = (to.0 - dx * head, to.1 - dy * head);
            let (wx, wy) = (-dy * head * 0.45, dx * head * 0.45);
            canvas.path(&[from, neck], stroke(colour, 3.0))?;
            let wings = [(neck.0 + wx, neck.1 + wy), (neck.0 - wx, neck.1 - wy)];
            canvas.polygon(&[to, wings[0], wings[1]], colour)?;
        }
        for (name, tip) in &figure.vectors {
            let (x, y) = self.at(tip[0], tip[1]);
            let length = tip[0].hypot(tip[1]);
            // Beside the tip and off the horizontal, where an axis would strike the name through.
            let side = if tip[0] < 0.0 { -1.0 } else { 1.0 };
            let rise = match tip[1] / length {
                rise if rise >= 0.0 => rise.max(0.7),
                rise => rise.min(-0.7),
            };
            let half = text::width(name, LABEL) / 2.0;
            let beside = x + side * (half + 9.0);
            let inside = beside.min(WIDTH - 4.0 - half).max(4.0 + half);
            // A name that the edge pushes back stays clear of the arrow's head.
            let away = if inside == beside { 15.0 } else { 22.0 };
            let at = (inside, y - rise * away);
            self.draw_name(canvas, name, LABEL, at, &mut taken)?;
        }
        Ok(())
    }

    fn draw_grid(&self, canvas: &Canvas) -> Drawn {
        let bottom = self.height - 26.0;
        for &tick in &self.x.ticks {
            let (x, _) = self.at(tick, 0.0);
            let colour = if tick.abs() < 1e-9 { INK } else { GRID };
            canvas.path(&[(x, self.top), (x, bottom)], stroke(colour, 1.0))?;
            let label = self.x.label(tick);
            let half = text::width(&label, SMALLEST) / 2.0;
            if (half..=WIDTH - half).contains(&x) {
                canvas.text(x, bottom + 13.0, HPos::Center, SMALLEST, &label)?;
            }
        }
        for &tick in &self.rows {
            let (_, y) = self.at(0.0, tick);
            let colour = if tick.abs() < 1e-9 { INK } else { GRID };
            canvas.path(&[(MARGIN, y), (WIDTH - MARGIN, y)], stroke(colour, 1.0))?;
        }
        Ok(())
    }

    /// Draws the shorter arc and its degrees; gives the place that the degrees take.
    fn draw_arc(
        &self,
        canvas: &Canvas,
        from: f64,
        to: f64,
        radius: f64,
    ) -> Result<Place, plotters::drawing::DrawingAreaErrorKind<std::io::Error>> {
        use std::f64::consts::{PI, TAU};
        let turn = (to - from + PI).rem_euclid(TAU) - PI;
        let on = |angle: f64, radius: f64| {
            (self.origin.0 + radius * angle.cos(), self.origin.1 - radius * angle.sin())
        };
        let arc: Vec<_> = (0..=24).map(|i| on(from + turn * f64::from(i) / 24.0, radius)).collect();
        canvas.path(&arc, stroke(INK, 1.5))?;
        let label = format!("{:.0}°", turn.abs().to_degrees());
        let middle = on(from + turn / 2.0, radius + 20.0);
        canvas.text(middle.0, middle.1, HPos::Center, SMALLEST, &label)?;
        Ok(Place::new(&label, SMALLEST, middle))
    }

    /// Draws a name near `at`, off what is written already.
    fn draw_name(
        &self,
        canvas: &Canvas,
        name: &str,
        size: f64,
        at: (f64, f64),
        taken: &mut Vec<Place>,
    ) -> Drawn {
        let mut place = Place::new(name, size, at);
        for step in 1..8 {
            if !taken.iter().any(|other| other.touches(&place)) {
                break;
            }
            // Below, above, further below, ...
            let sign = if step % 2 == 1 { 1.0 } else { -1.0 };
            place.at.1 = at.1 + sign * ((step + 1) / 2) as f64 * 10.0;
        }
        canvas.text(place.at.0, place.at.1, HPos::Center, size, name)?;
        taken.push(place);
        Ok(())
    }
}

/// The place that a text takes, around its middle.
struct Place {
    at: (f64, f64),
    half: (f64, f64),
}

impl Place {
    fn new(text: &str, size: f64, at: (f64, f64)) -> Self {
        let half = (text::width(text, size) / 2.0, size * 0.6);
        Self { at, half }
    }

    fn touches(&self, other: &Self) -> bool {
        (self.at.0 - other.at.0).abs() < self.half.0 + other.half.0
            && (self.at.1 - other.at.1).abs() < self.half.1 + other.half.1
    }
}
