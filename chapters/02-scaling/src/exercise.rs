//! Week 2, your code: replace each `todo!()`, then run `cargo study check scaling`.
#![allow(unused)] // a stub uses nothing yet

use candle_core::{D, Result, Tensor, bail};
use dot_products::solution::{scores, weighted_average};

// ANCHOR: dot_product_variance
/// The variance of the dot products of paired rows, the mean of their squared
/// distance from their mean.
///
/// `query` and `key` `(draws, dim)`; row i of one is paired with row i of the
/// other. A scalar tensor. Errors when the shapes differ.
pub fn dot_product_variance(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: dot_product_variance

/// Given: an error when rows have no logits. (candle's own, "empty tensor for
/// reduce", does not say what is wrong.)
pub fn at_least_one(logits: &Tensor) -> Result<()> {
    if logits.dim(D::Minus1)? == 0 {
        bail!("logits: expected at least one in each row; got shape {:?}", logits.dims());
    }
    Ok(())
}

// ANCHOR: log_sum_exp
/// ln Σ exp(logits) over the last dimension, which is kept with length 1. No
/// finite logit overflows it.
///
/// `logits` `(…, n)`, any float type → `(…, 1)`. Errors when `n` is 0.
pub fn log_sum_exp(logits: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: log_sum_exp

// ANCHOR: softmax
/// exp(logits) over its sum, row by row along the last dimension: positive
/// weights that sum to one.
///
/// `logits` and result `(…, n)`, any float type. No finite logit overflows it. No
/// rows give no rows; errors when `n` is 0.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax

// ANCHOR: softmax_with_temperature
/// The softmax of logits / temperature: below 1 it is sharper, above 1 flatter.
///
/// `logits` and result `(…, n)`, any float type. Errors unless `temperature` is a
/// positive, finite number.
pub fn softmax_with_temperature(logits: &Tensor, temperature: f64) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax_with_temperature

// ANCHOR: entropy
/// How spread out weights are, in nats: −Σ w ln w over the last dimension, with 0
/// ln 0 = 0.
///
/// `weights` `(…, n)`, any float type, each row summing to one → `(…)`: 0 for a
/// single choice, ln n for n equal ones. The gradient is finite at a weight of 0,
/// too.
pub fn entropy(weights: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: entropy

// ANCHOR: softmax_backward
/// The gradient of the loss by the logits, from the gradient by the weights: w ∘
/// (g − Σⱼ wⱼ gⱼ).
///
/// `weights` (a softmax's output), `grad` and result `(…, n)`.
pub fn softmax_backward(weights: &Tensor, grad: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: softmax_backward

// ANCHOR: scaled_dot_product_attention
/// softmax(Q·Kᵀ / √d_k)·V: the output and the weights ("Attention Is All You
/// Need", section 3.2.1).
///
/// `query` `(…, seq_q, d_k)`, `key` `(…, seq_k, d_k)`, `value` `(…, seq_k, d_v)`
/// → output `(…, seq_q, d_v)`, weights `(…, seq_q, seq_k)`, any float type;
/// gradients go through both. Errors when the shapes do not fit or there is no
/// key.
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: scaled_dot_product_attention
