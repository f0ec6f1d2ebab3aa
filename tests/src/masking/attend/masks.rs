//! Masks as both conventions write them, and what they leave of a row.

use crate::{
    harness::{Breach, Outcome, show::inputs},
    masking::keep_where,
};
use candle_core::{D, DType, Result, Tensor};

pub(super) const HIDDEN: f32 = f32::NEG_INFINITY;

/// A keep-mask of random bits, about one in three 0, and one in four rows all 0.
pub(super) fn random_keep(seed: u64, rows: usize, columns: usize) -> Result<Tensor> {
    let draws: Vec<f32> = seeded::uniform(seed, rows * (columns + 1))?.to_vec1()?;
    keep_where(rows, columns, |row, column| {
        draws[row] > 0.25 && draws[rows + row * columns + column] > 0.33
    })
}

/// The additive mask that says the same as `keep`.
pub(super) fn additive(keep: &Tensor) -> Result<Tensor> {
    let zeros = Tensor::zeros(keep.shape(), DType::F32, keep.device())?;
    keep.where_cond(&zeros, &(&zeros + f64::NEG_INFINITY)?)
}

/// The outcome of a law about gradients, with the mask among its inputs.
pub(super) fn showing(mask: &Tensor, outcome: Outcome) -> Outcome {
    outcome.map_err(|breach| {
        let given = format!("{}\n{}", breach.given, inputs(&[("mask", mask)]));
        Breach { given: given.trim_start().into(), ..breach }
    })
}

/// 1 for each row of `keep` that sees something, 0 for the others, f32.
pub(super) fn row_sums(keep: &Tensor) -> Result<Tensor> {
    keep.max(D::Minus1)?.to_dtype(DType::F32)
}
