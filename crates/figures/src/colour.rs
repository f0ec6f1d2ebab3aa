//! The colours. Ink, grid and paper are used for nothing else, so that a dark theme can replace them by attribute.

use plotters::style::RGBColor;

/// Text, axes and the reference line: it must stand out on a line that agrees with it.
pub(crate) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
/// The background, as an SVG attribute.
pub(crate) const PAPER: &str = "#ffffff";
/// A band that belongs to no series.
pub(crate) const BAND: RGBColor = RGBColor(0x76, 0x7d, 0x86);

/// Series: Okabe and Ito's colour-blind-safe colours, darkened where white paper needs it, then two more.
pub(crate) const SERIES: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xb8, 0x86, 0x0b),
    RGBColor(0x3a, 0x96, 0xd0),
    RGBColor(0x85, 0x68, 0xc8),
    RGBColor(0x8c, 0x6d, 0x4f),
];

/// Text on a light cell and on a dark one. Not [`INK`], which a dark theme turns light.
const ON_LIGHT: RGBColor = RGBColor(0x04, 0x05, 0x06);
const ON_DARK: RGBColor = RGBColor(0xfe, 0xfe, 0xff);

/// A cell that holds no finite number.
pub(crate) const NOT_FINITE: RGBColor = RGBColor(0xc4, 0xc8, 0xcd);

/// Steps of the sequential map.
pub(crate) const LEVELS: usize = 64;

/// The sequential map, near-white to dark blue: `level` counts from 0 to `LEVELS - 1`.
pub(crate) fn sequential(level: usize) -> RGBColor {
    const STOPS: [[f64; 3]; 5] = [
        [233.0, 241.0, 249.0],
        [190.0, 215.0, 238.0],
        [107.0, 168.0, 214.0],
        [33.0, 103.0, 172.0],
        [8.0, 40.0, 92.0],
    ];
    let at = level.min(LEVELS - 1) as f64 / (LEVELS - 1) as f64 * (STOPS.len() - 1) as f64;
    let left = (at as usize).min(STOPS.len() - 2);
    let mix = |i: usize| {
        let (a, b) = (STOPS[left][i], STOPS[left + 1][i]);
        (a + (b - a) * (at - left as f64)).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

/// The text colour that stands out more on `cell`.
pub(crate) fn text_on(cell: RGBColor) -> RGBColor {
    if contrast(cell, ON_LIGHT) >= contrast(cell, ON_DARK) { ON_LIGHT } else { ON_DARK }
}

/// `#rrggbb`.
pub(crate) fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The contrast ratio of the Web Content Accessibility Guidelines, 1 to 21.
pub(crate) fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_readable_on_white_and_on_dark_paper() {
        for paper in [RGBColor(255, 255, 255), RGBColor(0x16, 0x19, 0x23)] {
            for colour in SERIES.into_iter().chain([BAND]) {
                let ratio = contrast(colour, paper);
                assert!(ratio >= 3.0, "{} on {}: {ratio}", hex(colour), hex(paper));
            }
        }
    }

    #[test]
    fn numbers_are_readable_on_every_cell() {
        for cell in (0..LEVELS).map(sequential).chain([NOT_FINITE]) {
            assert!(contrast(cell, text_on(cell)) >= 4.5, "{}", hex(cell));
        }
    }

    #[test]
    fn the_map_darkens_at_every_step() {
        for level in 1..LEVELS {
            assert!(luminance(sequential(level)) < luminance(sequential(level - 1)));
        }
    }

    #[test]
    fn no_cell_wears_a_colour_that_a_theme_replaces() {
        for cell in (0..LEVELS).map(sequential).chain([ON_LIGHT, ON_DARK, NOT_FINITE]) {
            assert!(![hex(INK), hex(GRID), PAPER.to_string()].contains(&hex(cell)));
        }
    }
}
