//! Week 6: what the measures of heads, an ablation and a rollout must hold.

mod ablate;
mod maps;
mod rollout;
mod scores;

pub use ablate::{Ablate, ablate_head};
pub use maps::{Distances, Measure, attention_entropy, head_diversity};
pub use rollout::{Rollout, rollout};
pub use scores::{Induction, induction_score, previous_token_score};

use crate::Proof;
use candle_core::{DType, Device, Result, Tensor};

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] = &[maps::zoo, scores::zoo, ablate::zoo, rollout::zoo];

/// One sequence's weights, head by head: `(1, heads, seq_q, seq_k)`, f32.
fn heads<const H: usize, const Q: usize, const K: usize>(
    heads: &[[[f32; K]; Q]; H],
) -> Result<Tensor> {
    Tensor::new(heads, &Device::Cpu)?.unsqueeze(0)
}

/// Seeded weights, rows summing to one: `(batch, heads, seq_q, seq_k)`, f32.
fn drawn(seed: u64, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
    candle_nn::ops::softmax(&(seeded::normal(seed, shape)? * 2.)?, 3)
}

/// Zeros, f32.
fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F32, &Device::Cpu)
}

/// The numbers of a tensor of four dimensions, as f64.
fn nested(tensor: &Tensor) -> Result<Vec<Vec<Vec<Vec<f64>>>>> {
    let tensor = tensor.to_dtype(DType::F64)?;
    (0..tensor.dim(0)?).map(|batch| tensor.get(batch)?.to_vec3()).collect()
}
