//! Week 1, your code: replace each `todo!()`, then run `cargo study check dot_products`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `matmul(a: &Tensor, b: &Tensor) -> Result<Tensor>`: The matrix product
//!   `a·b` over the last two dimensions, one for each batch element and head in
//!   front.
#![allow(unused)] // a stub uses nothing yet

use crate::matmul::matmul;
use candle_core::{D, DType, Result, Tensor, bail};

// ANCHOR: dot
/// The dot product of paired vectors: Σᵢ aᵢ bᵢ over the last dimension.
///
/// `a` and `b` `(…, dim)`, any float type → `(…)`, in the same type; two single
/// vectors give a scalar. Gradients reach both. Errors when the shapes differ:
/// nothing is broadcast.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: dot

// ANCHOR: cosine_similarity
/// The cosine of the angle between paired vectors, a·b / (‖a‖ ‖b‖): from −1
/// (opposite) to 1 (same direction).
///
/// `a` and `b` `(…, dim)`, f32 or f64 → `(…)`, in the same type. As in PyTorch,
/// each norm counts as at least 1e-8, so a vector of zeros, which has no
/// direction, has similarity 0 to everything. Gradients reach both vectors and
/// are finite, even at a vector of zeros. Errors when the shapes differ:
/// nothing is broadcast.
pub fn cosine_similarity(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: cosine_similarity

// ANCHOR: scores
/// Every query's dot product with every key: Q·Kᵀ.
///
/// `query` `(…, seq_q, dim)`, `key` `(…, seq_k, dim)`, any float type → `(…,
/// seq_q, seq_k)`, in the same type. No queries give no rows, no keys no
/// columns. Gradients reach both. Errors when the leading or the last
/// dimensions differ: nothing is broadcast.
pub fn scores(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: scores

// ANCHOR: top_k
/// The positions of the `k` highest scores, the highest first; of equal scores
/// the earlier position first.
///
/// `scores` `(n)`, any float type; positions count from 0. The order is total,
/// like that of `f64::total_cmp`: −∞ is the lowest score, and −0 is below 0. A
/// NaN may end up anywhere or be refused, but must not cause a panic. Errors
/// when `k` is greater than n.
pub fn top_k(scores: &Tensor, k: usize) -> Result<Vec<usize>> {
    todo!()
}
// ANCHOR_END: top_k

// ANCHOR: naive_softmax
/// exp(scores) over its sum, row by row along the last dimension: positive
/// weights that sum to one.
///
/// `scores` and result `(…, n)`, any float type; no rows give no rows.
/// Gradients reach the scores. Naive, because exp overflows f32 above 88 (f16
/// above 11); week 2's `softmax` does not.
pub fn naive_softmax(scores: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: naive_softmax

// ANCHOR: weighted_average
/// Mixes the values by weight: each output row is Σⱼ weightsᵢⱼ · valueⱼ.
///
/// `weights` `(…, seq_q, seq_k)`, `value` `(…, seq_k, dim)`, any float type →
/// `(…, seq_q, dim)`, in the same type. The weights are taken as they are; the
/// result is an average when each row of them sums to one. No queries give no
/// rows; with no values the sum is empty, and the result 0. Gradients reach
/// both. Errors when a row has more or fewer weights than there are values, or
/// the leading dimensions differ: nothing is broadcast.
pub fn weighted_average(weights: &Tensor, value: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: weighted_average

// ANCHOR: soft_lookup
/// Looks up `query` among the keys, softly: each key answers with its value,
/// weighted by how well it matches.
///
/// `query` `(…, seq_q, dim)`, `key` `(…, seq_k, dim)`, `value` `(…, seq_k,
/// value_dim)`, any float type → output `(…, seq_q, value_dim)` and weights
/// `(…, seq_q, seq_k)`, in the same type; gradients go through both. No queries
/// give no outputs. This is attention without its scale, which is week 2's.
/// Errors when the shapes do not fit.
pub fn soft_lookup(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor, // any other dimension than query's and key's
) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: soft_lookup
