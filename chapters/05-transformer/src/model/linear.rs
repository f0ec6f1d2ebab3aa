//! A linear layer in plain candle operations.

use candle_core::{Result, Tensor};
use candle_nn::Linear;
use multi_head::projection::project;

/// `x·Wᵀ + b`, with a ReLU after it when asked for: x `(batch, seq, in)`, weight `(out, in)`, bias `(out)` →
/// `(batch, seq, out)`. Errors when the shapes do not fit.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    relu: bool,
) -> Result<Tensor> {
    let out = project(&Linear::new(weight.clone(), Some(bias.clone())), x)?;
    if relu { out.relu() } else { Ok(out) }
}
