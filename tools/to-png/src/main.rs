//! `to-png FILE.svg …` puts each figure beside itself as a PNG file, twice as large.
//!
//! A program of its own: with the renderer among a chapter's dependencies, candle would be compiled once more. It brings
//! its fonts, so that a picture is the same on every machine.

use anyhow::{Context, Result};
use resvg::{tiny_skia, usvg};
use std::path::Path;

/// How many pixels a unit of a figure is wide.
const SCALE: f32 = 2.;

/// A line is set in the second when the first lacks one of its signs, an arrow for example.
const FONTS: [&[u8]; 2] = [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR];

fn main() -> Result<()> {
    let options = options();
    for file in std::env::args_os().skip(1) {
        let svg = Path::new(&file);
        let text = std::fs::read_to_string(svg)
            .with_context(|| format!("can't read {}", svg.display()))?;
        let png = svg.with_extension("png");
        let picture =
            render(&text, &options).with_context(|| format!("{} can't be drawn", svg.display()))?;
        std::fs::write(&png, picture).with_context(|| format!("can't write {}", png.display()))?;
    }
    Ok(())
}

/// How an SVG is read: with the fonts of this program and no others.
fn options() -> usvg::Options<'static> {
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    FONTS.into_iter().for_each(|font| fonts.load_font_data(font.to_vec()));
    fonts.set_sans_serif_family("Ubuntu");
    options
}

/// The SVG `text` as the bytes of a PNG file.
fn render(text: &str, options: &usvg::Options) -> Result<Vec<u8>> {
    let tree = usvg::Tree::from_str(text, options)?;
    let pixels = |units: f32| (units * SCALE).ceil() as u32;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let mut paper = tiny_skia::Pixmap::new(width, height).context("it is too large")?;
    let scale = tiny_skia::Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, scale, &mut paper.as_mut());
    Ok(paper.encode_png()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_needs_no_font_of_the_system() -> Result<()> {
        let paper = "<rect width=\"40\" height=\"20\" fill=\"#ffffff\"/>";
        let draw = |inner: &str| {
            let svg = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 20\" width=\"40\" height=\"20\" font-family=\"sans-serif\">{paper}{inner}</svg>"
            );
            render(&svg, &options())
        };
        let (empty, full) = (draw("")?, draw("<text x=\"2\" y=\"15\">key →</text>")?);
        assert!(full.starts_with(b"\x89PNG") && full != empty);
        let size = |png: &[u8], at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((size(&full, 16), size(&full, 20)), (80, 40));
        Ok(())
    }
}
