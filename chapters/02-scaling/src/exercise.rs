//! Week 2, your code: replace each `todo!()`, then run `cargo study check scaling`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `scores(query: &Tensor, key: &Tensor) -> Result<Tensor>` (week 1): Every
//!   query's dot product with every key: Q·Kᵀ.
//! - `weighted_average(weights: &Tensor, value: &Tensor) -> Result<Tensor>`
//!   (week 1): Mixes the values by weight: each output row is Σⱼ weightsᵢⱼ ·
//!   valueⱼ.
#![allow(unused)] // a stub uses nothing yet

use candle_core::{D, Result, Tensor, bail};
use dot_products::solution::{scores, weighted_average};

// ANCHOR: dot_product_variance
/// The variance of the dot products of paired rows: the mean of their squared
/// distances from their mean, divided by the number of draws (not draws − 1).
///
/// `query` and `key` `(draws, dim)`, f32 or f64; row i of one is paired with
/// row i of the other → a scalar tensor of the same type. It stays precise when
/// the mean is large: subtract it first, then square. Errors when the shapes
/// differ: nothing is broadcast.
pub fn dot_product_variance(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: dot_product_variance

/// Given: an error when rows have no logits. (candle's own, "empty tensor for
/// reduce", does not say which tensor or why.)
pub fn at_least_one(logits: &Tensor) -> Result<()> {
    if logits.dim(D::Minus1)? == 0 {
        bail!("logits: expected at least one per row; got shape {:?}", logits.dims());
    }
    Ok(())
}

// ANCHOR: log_sum_exp
/// ln Σ exp(logits) over the last dimension, which is kept with size 1. Finite
/// logits give a finite result, however large they are.
///
/// `logits` `(…, n)`, any float type → `(…, 1)`, in the same type. Gradients
/// reach the logits and are those of ln Σ exp: the softmax. No rows give no
/// rows: `(0, n)` → `(0, 1)`. Errors when `n` is 0.
pub fn log_sum_exp(logits: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: log_sum_exp

// ANCHOR: softmax
/// exp(logits) over its sum, row by row along the last dimension: weights from
/// 0 to 1 that sum to one.
///
/// `logits` and result `(…, n)`, any float type. Finite logits give finite
/// weights, however large they are; the weights may be off by as much as
/// rounding moves a logit of that size (at 10 000 in f32: by 1e-3). A logit of
/// −∞ gets the weight 0 beside a finite one; a NaN makes its own row NaN, and
/// no other. Gradients reach the logits. No rows give no rows; errors when `n`
/// is 0.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax

// ANCHOR: softmax_with_temperature
/// The softmax of logits / temperature: below 1 it is sharper, above 1 flatter.
///
/// `logits` and result `(…, n)`, any float type. Gradients reach the logits.
/// Errors unless `temperature` is positive and finite. You may assume that 1 /
/// temperature and logits / temperature are finite in the logits' type (f16 ends
/// at 65 504).
pub fn softmax_with_temperature(logits: &Tensor, temperature: f64) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax_with_temperature

// ANCHOR: entropy
/// How spread out weights are: −Σ w ln w over the last dimension (ln is the
/// natural logarithm), where a weight of 0 adds 0.
///
/// `weights` `(…, n)`, any float type (f16 too, whose smallest positive number
/// is 6e-8), each row summing to one → `(…)`, in the same type: 0 for a single
/// choice, ln n for n equal weights. Small weights count in full, in the value
/// and in the gradient. Gradients reach the weights and are finite, even at a
/// weight of 0.
pub fn entropy(weights: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: entropy

// ANCHOR: softmax_backward
/// The gradient of the loss with respect to the logits, from the one with
/// respect to the weights: w ∘ (g − Σⱼ wⱼ gⱼ), row by row.
///
/// `weights` (a softmax's output), `grad` (g) and result `(…, n)`, any float
/// type. Errors when the shapes differ.
pub fn softmax_backward(weights: &Tensor, grad: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax_backward

// ANCHOR: scaled_dot_product_attention
/// softmax(Q·Kᵀ / √d_k)·V: the output and the weights ("Attention Is All You
/// Need", section 3.2.1).
///
/// `query` `(…, seq_q, d_k)`, `key` `(…, seq_k, d_k)`, `value` `(…, seq_k,
/// d_v)` → output `(…, seq_q, d_v)`, weights `(…, seq_q, seq_k)`, any float
/// type, the result in the same; gradients go through both. Scores that are
/// finite in that type before they are divided give finite weights, which may
/// be off by as much as rounding moves a score of that size. No queries give no
/// outputs. Errors when the shapes do not fit (nothing is broadcast) or there
/// is no key.
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: scaled_dot_product_attention
