//! Week 9's picture, computed with your code: what four cards can reach, and where attention stands.

use candle_core::DType;
use figures::Lines;
use gpu::{
    cards::CARDS,
    exercise::{attainable, forward_flops, least_bytes},
};
use std::error::Error;

const TERA: f64 = 1e12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = Lines::new("Your rooflines")
        .log_x()
        .log_y()
        .x("operations per byte from memory")
        .y("TFLOP/s");
    let intensities: Vec<f64> = (0..=40).map(|step| 0.25 * 1.3f64.powi(step)).collect();
    for card in CARDS {
        let reached = |x: f64| (x, attainable(card.flops, card.bandwidth, x) / TERA);
        lines = lines.line(card.name, &intensities.iter().map(|&x| reached(x)).collect::<Vec<_>>());
    }
    for (name, seq_q, seq_k) in [("one query", 1, 8192), ("512 tokens", 512, 512)] {
        let flops = forward_flops(1, 1, seq_q, seq_k, 64, false);
        let bytes = least_bytes(1, 1, 1, seq_q, seq_k, 64, DType::F16);
        let best = CARDS.map(|card| {
            (flops / bytes, attainable(card.flops, card.bandwidth, flops / bytes) / TERA)
        });
        lines = lines.points(name, &best);
    }
    println!(
        "Your rooflines, and your counts of attention under them: one query is bound by memory, many are not:"
    );
    println!("{}", lines.draw()?.save_as("09-gpu/mine.svg")?.display());
    Ok(())
}
