//! Week 1, solved: from a dot product to a soft lookup.

use crate::matmul::matmul;
use candle_core::{D, Result, Tensor, bail};

// ANCHOR: scores
/// Every query's dot product with every key: Q·Kᵀ.
///
/// `query` `(…, seq_q, dim)`, `key` `(…, seq_k, dim)` → `(…, seq_q, seq_k)`. The leading dimensions must be equal.
/// Errors when the last dimensions differ.
pub fn scores(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    let (query_dim, key_dim) = (query.dim(D::Minus1)?, key.dim(D::Minus1)?);
    if query_dim != key_dim {
        bail!("key: expected vectors of {query_dim} numbers, like query's; got {key_dim}");
    }
    matmul(query, &key.transpose(D::Minus2, D::Minus1)?) // (…, seq_q, seq_k)
}
// ANCHOR_END: scores

// ANCHOR: weighted_average
/// Mixes the values by weight: each output row is Σⱼ weightsᵢⱼ · valueⱼ.
///
/// `weights` `(…, seq_q, seq_k)`, `value` `(…, seq_k, dim)` → `(…, seq_q, dim)`.
/// Errors when there is not one value for each weight of a row.
pub fn weighted_average(weights: &Tensor, value: &Tensor) -> Result<Tensor> {
    let (seq_k, values) = (weights.dim(D::Minus1)?, value.dim(D::Minus2)?);
    if seq_k != values {
        bail!("value: expected {seq_k} rows, one for each weight; got {values}");
    }
    matmul(weights, value) // (…, seq_q, dim)
}
// ANCHOR_END: weighted_average
