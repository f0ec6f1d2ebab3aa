//! A sheet of paper over plotters' SVG backend, measured in figure units.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{
    Figure, FigureError,
    colour::{INK, PAPER},
    text,
};

/// How wide a figure is, in units.
pub(crate) const WIDTH: f64 = 640.0;
/// How wide a small one is.
pub(crate) const SMALL: f64 = 400.0;
/// Free space at the figure's edge.
pub(crate) const MARGIN: f64 = 14.0;

/// plotters counts in whole pixels: a quarter of a unit each, so that curves stay smooth.
const FINE: f64 = 4.0;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// `units` in plotters' pixels.
pub(crate) fn px(units: f64) -> i32 {
    (units * FINE).round() as i32
}

/// A stroke of `units`.
pub(crate) fn stroke(colour: RGBColor, units: f64) -> ShapeStyle {
    colour.stroke_width(px(units) as u32)
}

/// A text style of `size` units.
pub(crate) fn font(size: f64, colour: RGBColor) -> TextStyle<'static> {
    // The backend divides by 1.24.
    ("sans-serif", size * FINE * 1.24).into_font().color(&colour)
}

/// The paper being drawn on; lengths in units, the origin at the top left.
pub(crate) struct Canvas<'a> {
    pub(crate) area: Area<'a>,
}

impl Canvas<'_> {
    /// Ink text whose vertical middle is at `y`.
    pub(crate) fn text(&self, x: f64, y: f64, anchor: HPos, size: f64, text: &str) -> Drawn {
        self.styled(x, y, anchor, font(size, INK), text)
    }

    pub(crate) fn styled(
        &self,
        x: f64,
        y: f64,
        anchor: HPos,
        style: TextStyle,
        text: &str,
    ) -> Drawn {
        let style = style.pos(Pos::new(anchor, VPos::Center));
        self.area.draw_text(&text::printable(text), &style, (px(x), px(y)))
    }

    /// The title's lines at the top left.
    pub(crate) fn title(&self, title: &Title) -> Drawn {
        for (i, line) in title.lines.iter().enumerate() {
            let mut style = font(text::TITLE, INK);
            style.font = style.font.style(FontStyle::Bold);
            let y = MARGIN + (i as f64 + 0.5) * Title::LINE;
            self.styled(MARGIN, y, HPos::Left, style, line)?;
        }
        Ok(())
    }

    pub(crate) fn path(&self, points: &[(f64, f64)], style: ShapeStyle) -> Drawn {
        self.area.draw(&PathElement::new(pixels(points), style))
    }

    pub(crate) fn polygon(&self, points: &[(f64, f64)], colour: RGBColor) -> Drawn {
        self.area.draw(&Polygon::new(pixels(points), colour.filled()))
    }

    pub(crate) fn rect(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Drawn {
        let corners = [(px(from.0), px(from.1)), (px(to.0), px(to.1))];
        self.area.draw(&Rectangle::new(corners, colour.filled()))
    }

    pub(crate) fn circle(&self, at: (f64, f64), radius: f64, colour: RGBColor) -> Drawn {
        let circle = Circle::new((px(at.0), px(at.1)), px(radius), colour.filled());
        self.area.draw(&circle)
    }
}

fn pixels(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    points.iter().map(|&(x, y)| (px(x), px(y))).collect()
}

/// A title broken into lines.
pub(crate) struct Title {
    lines: Vec<String>,
}

impl Title {
    pub(crate) const LINE: f64 = 25.0;

    pub(crate) fn new(title: &str, width: f64) -> Self {
        // Bold letters are wider.
        let room = (width - 2.0 * MARGIN) / 1.08;
        let mut lines = text::wrap(title, text::TITLE, room);
        // Lines of about the same length: no word alone on the last.
        let mut narrower = room - 10.0;
        loop {
            let tried = text::wrap(title, text::TITLE, narrower);
            if tried.len() > lines.len() || lines.len() < 2 || narrower < 0.5 * room {
                return Self { lines };
            }
            lines = tried;
            narrower -= 10.0;
        }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Where the space below the title starts.
    pub(crate) fn bottom(&self) -> f64 {
        MARGIN + self.lines.len() as f64 * Self::LINE
    }
}

/// Draws a figure of `size` units; `cells` is SVG that goes between the paper and what `paint` draws.
pub(crate) fn figure(
    alt: &str,
    size: (f64, f64),
    cells: &str,
    paint: impl FnOnce(&Canvas) -> Drawn,
) -> Result<Figure, FigureError> {
    let (width, height) = (size.0.ceil(), size.1.ceil());
    let mut raw = String::new();
    {
        let backend = SVGBackend::with_string(&mut raw, (px(width) as u32, px(height) as u32));
        let canvas = Canvas { area: backend.into_drawing_area() };
        paint(&canvas).map_err(FigureError::backend)?;
        canvas.area.present().map_err(FigureError::backend)?;
    }
    let mut body = String::from(cells);
    let _ = writeln!(body, "<g transform=\"scale({})\">", 1.0 / FINE);
    tidy(&raw, &mut body);
    body.push_str("</g>\n");
    Ok(document(alt, (width, height), &body))
}

/// The SVG element with its text alternative and its paper around `body`, which is SVG.
pub(crate) fn document(alt: &str, size: (f64, f64), body: &str) -> Figure {
    let (width, height) = (size.0.ceil(), size.1.ceil());
    let alt = alt.split_whitespace().collect::<Vec<_>>().join(" ");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         width=\"{width}\" style=\"max-width:100%;height:auto\" font-family=\"sans-serif\">\n\
         <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{PAPER}\"/>\n{body}</svg>",
        escape(&text::printable(&alt))
    );
    Figure::new(svg, alt)
}

/// Copies the elements of plotters' document without what says nothing.
fn tidy(raw: &str, svg: &mut String) {
    let mut lines = raw.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("<svg") || line == "</svg>" {
            continue;
        }
        // Quotes in text are escaped, so these patterns are attributes.
        let mut line = line.to_string();
        for default in [
            " opacity=\"1\"",
            " stroke=\"none\"",
            " font-family=\"sans-serif\"",
            " text-anchor=\"start\"",
        ] {
            line = line.replace(default, "");
        }
        if line.starts_with("<circle") {
            line = line.replace(" stroke-width=\"1\"", "");
        }
        svg.push_str(&lowercase_colours(&line.replace(" \"/>", "\"/>")));
        if line.starts_with("<text") {
            // plotters puts the text and the closing tag on lines of their own.
            for part in lines.by_ref().take(2) {
                svg.push_str(part);
            }
        }
        svg.push('\n');
    }
}

fn lowercase_colours(line: &str) -> String {
    let mut parts = line.split("=\"#");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str("=\"#");
        match part.split_at_checked(6) {
            Some((colour, rest)) => {
                out.push_str(&colour.to_ascii_lowercase());
                out.push_str(rest);
            }
            None => out.push_str(part),
        }
    }
    out
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
