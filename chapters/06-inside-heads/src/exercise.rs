//! Week 6, your code: replace each `todo!()`, then run `cargo study check inside_heads`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `matmul(a: &Tensor, b: &Tensor) -> Result<Tensor>` (week 1): The matrix
//!   product `a·b` over the last two dimensions, one for each batch element and
//!   head in front.
#![allow(unused)] // a stub uses nothing yet

use candle_core::{D, DType, Result, Tensor, bail};
use dot_products::matmul::matmul;

// ANCHOR: previous_token_score
/// How much each head looks at the token before: the mean over batch and queries
/// of the weight of query i on key i − 1. Query 0 has no token before it and does
/// not count.
///
/// Self-attention `weights` `(batch, heads, seq, seq)` → `(heads)`, from 0 to 1.
/// Errors unless there are as many keys as queries, at least two, and a batch and
/// heads that are not empty.
pub fn previous_token_score(weights: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: previous_token_score

// ANCHOR: induction_score
/// How much each head looks for what came next last time, on sequences in which a
/// block of `period` tokens repeats: the mean over batch and queries i ≥ `period`
/// of the weight on key i − `period` + 1, the token after the one that stood at i
/// a period ago (Olsson and others 2022).
///
/// Self-attention `weights` `(batch, heads, seq, seq)` → `(heads)`, from 0 to 1.
/// Errors as `previous_token_score` does, when `period` is 0, or when nothing
/// repeats: `period` is not below seq.
pub fn induction_score(weights: &Tensor, period: usize) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: induction_score

// ANCHOR: attention_entropy
/// How widely each head looks: the mean over batch and queries of the entropy
/// −Σ w ln w of a query's weights, in nats. A weight of 0 adds 0.
///
/// `weights` `(batch, heads, seq_q, seq_k)`, f32 or f64 → `(heads)`: 0 when every
/// query looks at one key, ln(seq_k) when each looks at all keys alike. Small
/// weights count in full, down to 1e-37. Errors when there are not four
/// dimensions, one of them is 0, or the type is another: in f16 a sum of so many
/// small terms would be mostly rounding.
pub fn attention_entropy(weights: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: attention_entropy

// ANCHOR: head_diversity
/// How differently any two heads of a model look: the mean over all real queries
/// of ½ Σₖ |wₖ − uₖ|, where k runs over the keys, w and u are the two heads'
/// weights.
///
/// `maps`: one `(batch, heads, seq_q, seq_k)` per layer, rows summing to one; `real`
/// `(batch, seq_q)`, u8, 1 = a token, 0 = padding, whose queries do not count. →
/// `(n, n)`, where n counts the heads of all layers, first layer first: 0 for two
/// heads that look alike, 1 for two that never look at the same key. Errors
/// without layers, when shapes do not fit or no query is real.
pub fn head_diversity(maps: &[Tensor], real: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: head_diversity

// ANCHOR: ablate_head
/// The heads' outputs with one head switched off: whatever it found, it now puts
/// out zeros or, when there is an `instead`, those numbers for every token.
///
/// `heads` `(batch, num_heads, seq, head_dim)`, before they are combined, and
/// `instead` `(head_dim)`, of the same type: as a rule the head's mean output over
/// *other* inputs, so that it says nothing about this one. → The same shape as
/// `heads`; the other heads stay as they are. Without batch or tokens it is empty,
/// as before. Errors when there is no head number `head`, counted from 0, or when
/// `instead` does not have head_dim numbers.
pub fn ablate_head(
    heads: &Tensor,
    head: usize,
    instead: Option<&Tensor>,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: ablate_head

// ANCHOR: rollout
/// From which input tokens the numbers of each token come, through all layers:
/// attention rollout (Abnar and Zuidema 2020).
///
/// `maps`: one self-attention `(batch, heads, seq, seq)` per layer, the first layer
/// first → `(batch, seq, seq)`, rows summing to one. A layer is the mean of its
/// heads plus the identity, which stands for the residual path, with rows divided
/// by their sum; the layers are multiplied, a later one from the left. Errors
/// without layers or heads, and when shapes do not fit.
pub fn rollout(maps: &[Tensor]) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: rollout
