//! Week 1, solved: from a dot product to a soft lookup.

use crate::matmul::matmul;
use candle_core::{D, DType, Result, Tensor, bail};

// ANCHOR: dot
/// The dot product of paired vectors: Σᵢ aᵢ bᵢ over the last dimension.
///
/// `a` and `b` `(…, dim)`, any float type → `(…)`, in the same type; two single
/// vectors give a scalar. Gradients reach both. Errors when the shapes differ:
/// nothing is broadcast.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a * b)?.sum(D::Minus1)
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
    const SMALLEST: f64 = 1e-8;
    let norm = |x: &Tensor| dot(x, x)?.maximum(SMALLEST * SMALLEST)?.sqrt();
    dot(a, b)? / (norm(a)? * norm(b)?)?
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
    let (query_dim, key_dim) = (query.dim(D::Minus1)?, key.dim(D::Minus1)?);
    if query_dim != key_dim {
        bail!("key: expected dimension {query_dim}, as query has; got {key_dim}");
    }
    matmul(query, &key.transpose(D::Minus2, D::Minus1)?) // (…, seq_q, seq_k)
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
    let scores: Vec<f64> = scores.to_dtype(DType::F64)?.to_vec1()?;
    if k > scores.len() {
        bail!("k: expected at most {}, the number of scores; got {k}", scores.len());
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Downwards; `sort_by` is stable, so equal scores keep their order.
    order.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]));
    order.truncate(k);
    Ok(order)
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
    let exp = scores.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
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
    let (seq_k, values) = (weights.dim(D::Minus1)?, value.dim(D::Minus2)?);
    if seq_k != values {
        bail!("value: expected {seq_k} rows, one for each weight; got {values}");
    }
    matmul(weights, value) // (…, seq_q, dim)
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
    let weights = naive_softmax(&scores(query, key)?)?; // (…, seq_q, seq_k)
    let output = weighted_average(&weights, value)?; // (…, seq_q, value_dim)
    Ok((output, weights))
}
// ANCHOR_END: soft_lookup
