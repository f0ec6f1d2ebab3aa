//! The figures of the page.

use crate::{
    cards::Card,
    solution::{attainable, forward_flops, least_bytes},
};
use candle_core::{DType, Error, Result};
use figures::{Figure, Lines};

const TERA: f64 = 1e12;

/// Where some work stands under a roof.
#[derive(Clone, Debug)]
pub struct Work {
    /// What it is.
    pub name: String,
    /// Operations per byte from memory.
    pub intensity: f64,
    /// Operations a second, where they were measured.
    pub flops: Option<f64>,
}

impl Work {
    /// Work of which only the count is known.
    pub fn counted(name: &str, intensity: f64) -> Self {
        Self { name: name.to_owned(), intensity, flops: None }
    }

    /// Work that was timed: `flops` operations a second.
    pub fn measured(name: &str, intensity: f64, flops: f64) -> Self {
        Self { flops: Some(flops), ..Self::counted(name, intensity) }
    }
}

/// Operations per byte from memory, for heads of `head_dim` in a type of so many bytes: with every score and every
/// weight written once and read once, and with neither.
pub fn intensities(seq_q: usize, seq_k: usize, head_dim: usize, dtype: DType) -> (f64, f64) {
    let flops = forward_flops(1, 1, seq_q, seq_k, head_dim, false);
    let least = least_bytes(1, 1, 1, seq_q, seq_k, head_dim, dtype);
    let scores = (4 * seq_q * seq_k * dtype.size_in_bytes()) as f64;
    (flops / (least + scores), flops / least)
}

/// A roof for each card, and on each of them where the work stands that was counted.
pub fn rooflines(title: &str, cards: &[Card], work: &[Work]) -> Result<Figure> {
    let mut lines = axes(title);
    for card in cards {
        lines = lines.line(card.name, &roof(card.flops, card.bandwidth));
    }
    let mut alt = vec![];
    for Work { name, intensity, .. } in work {
        let on =
            |card: &Card| (*intensity, attainable(card.flops, card.bandwidth, *intensity) / TERA);
        let points: Vec<(f64, f64)> = cards.iter().map(on).collect();
        let reached: Vec<String> = cards
            .iter()
            .zip(&points)
            .map(|(card, (_, y))| format!("{} {y:.1}", card.name))
            .collect();
        alt.push(format!("{name}, {intensity:.0} per byte: {}", reached.join(", ")));
        lines = lines.points(name, &points);
    }
    lines
        .alt(format!(
            "{title}. Attainable TFLOP/s over operations per byte, both logarithmic: each card's roof rises in proportion, \
             then is flat. {}.",
            alt.join("; ")
        ))
        .draw()
        .map_err(Error::wrap)
}

/// The roof of one machine, `peak` operations and `bandwidth` bytes a second, and work beneath it.
pub fn under_roof(title: &str, peak: f64, bandwidth: f64, work: &[Work]) -> Result<Figure> {
    let mut lines = axes(title).theory("roof", &roof(peak, bandwidth));
    let mut alt = vec![];
    for Work { name, intensity, flops } in work {
        let reached = flops.unwrap_or_else(|| attainable(peak, bandwidth, *intensity)) / TERA;
        alt.push(format!("{name}, {intensity:.1} per byte: {reached:.3}"));
        lines = lines.points(name, &[(*intensity, reached)]);
    }
    lines
        .alt(format!(
            "{title}. TFLOP/s over operations per byte, both logarithmic. The roof rises to {:.2} at {:.0} per byte, then is \
             flat. {}.",
            peak / TERA,
            peak / bandwidth,
            alt.join("; ")
        ))
        .draw()
        .map_err(Error::wrap)
}

fn axes(title: &str) -> Lines {
    Lines::new(title).log_x().log_y().x("operations per byte from memory").y("TFLOP/s")
}

/// From a quarter of an operation per byte to 10,000; so close together that no markers are drawn.
fn roof(peak: f64, bandwidth: f64) -> Vec<(f64, f64)> {
    let mut intensities: Vec<f64> =
        (0..=40).map(|step| 0.25 * 40_000f64.powf(f64::from(step) / 40.)).collect();
    intensities.push(peak / bandwidth);
    intensities.sort_by(f64::total_cmp);
    let reached = |x| (x, attainable(peak, bandwidth, x) / TERA);
    intensities.into_iter().map(reached).collect()
}
