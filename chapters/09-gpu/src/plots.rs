//! The figures of the page.

use crate::{
    cards::Card,
    solution::{attainable, forward_flops, least_bytes},
};
use candle_core::{DType, Error, Result};
use figures::{Figure, Lines};

/// A roofline for each card, operations for each byte from 1 to 10,000, and beneath them where attention stands: heads of
/// 64 in half precision, with all scores in memory and without.
pub fn roofline(title: &str, cards: &[Card]) -> Result<Figure> {
    let intensities: Vec<f64> = (0..=40).map(|step| 10f64.powf(f64::from(step) / 10.)).collect();
    let mut lines = Lines::new(title).log_x().log_y();
    for card in cards {
        let reached = |intensity: &f64| {
            (*intensity, attainable(card.flops, card.bandwidth, *intensity, 1.) / 1e12)
        };
        let points: Vec<(f64, f64)> = intensities.iter().map(reached).collect();
        lines = lines.line(card.name, &points);
    }
    lines
        .x("operations for each byte from memory")
        .y("attainable, TFLOP/s")
        .draw()
        .map_err(Error::wrap)
}

/// Operations for each byte from memory of a head of `head_dim`, `seq` tokens, half precision: with every score written
/// and read twice, and with none.
pub fn intensities(seq: usize, head_dim: usize) -> (f64, f64) {
    let flops = forward_flops(1, 1, seq, seq, head_dim, false);
    let bytes = least_bytes(1, 1, 1, seq, seq, head_dim, DType::F16);
    // Scores and weights: each written once and read once.
    let scores = 4. * 2. * (seq * seq) as f64;
    (flops / (bytes + scores), flops / bytes)
}
