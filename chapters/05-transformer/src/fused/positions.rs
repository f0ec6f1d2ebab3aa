//! Positions, each angle taken once.

use crate::solution;
use candle_core::{Device, Result, Tensor};

/// As [`solution::positional_encoding`]: each frequency is computed once, and each angle once for its sine and cosine.
pub fn positional_encoding(
    seq: usize,
    d_model: usize,
    device: &Device,
) -> Result<Tensor> {
    if d_model % 2 == 1 {
        return solution::positional_encoding(seq, d_model, device); // says what is wrong
    }
    let scale = |pair: usize| 10_000f64.powf((2 * pair) as f64 / d_model as f64);
    let scales: Vec<f64> = (0..d_model / 2).map(scale).collect();
    let row = |pos: usize| {
        scales.iter().flat_map(move |scale| {
            let (sin, cos) = (pos as f64 / scale).sin_cos();
            [sin as f32, cos as f32]
        })
    };
    Tensor::from_vec((0..seq).flat_map(row).collect(), (seq, d_model), device)
}
