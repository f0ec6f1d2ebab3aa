//! Week 7, your code: replace each `todo!()`, then run `cargo study check flash`.
#![allow(unused)] // a stub uses nothing yet

use crate::tiles::{
    Partial, QueryBlock, blocks, keep_tile, lengths, tile_scores, zero_if_infinite,
};
use candle_core::{D, Result, Tensor, bail};
use dot_products::matmul::matmul;
use std::ops::Range;

// ANCHOR: online_softmax
/// The maximum m of the scores and the sum l of exp(score − m), in one pass: each
/// score is looked at once, and no other list is made.
///
/// Returns `(m, l)`. Nothing to see, no scores or only −∞, gives (−∞, 0). NaN and
/// +∞ are not expected.
pub fn online_softmax(scores: &[f32]) -> (f32, f32) {
    todo!()
}
// ANCHOR_END: online_softmax

// ANCHOR: lse
/// The log-sum-exp of scores, ln Σ exp(score), from their maximum `m` and
/// `l` = Σ exp(score − m). Without anything to see, (−∞, 0), it is −∞.
pub fn lse(m: f32, l: f32) -> f32 {
    todo!()
}
// ANCHOR_END: lse

// ANCHOR: tile_attention
/// Attention over one tile of keys, left unfinished: the scores q·kᵀ · `scale`,
/// their maxima m, l = Σ exp(score − m), and acc = Σ exp(score − m) · value.
///
/// q `(rows, d)`, k `(cols, d)`, v `(cols, d_v)`, `keep` `(rows, cols)`, u8, 1 =
/// may attend → [`Partial`]. A query that sees no key of the tile has m = −∞, l = 0
/// and zeros. Errors when shapes do not fit, or the tile has no keys.
pub fn tile_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<Partial> {
    todo!()
}
// ANCHOR_END: tile_attention

// ANCHOR: merge
/// What attention over the keys of `a` and of `b` leaves: the larger maximum, and
/// both sums and both accumulators brought down to it.
///
/// Both of the same queries. The order does not matter, nor how three are grouped;
/// [`Partial::empty`] changes nothing. Errors when shapes do not fit.
pub fn merge(a: &Partial, b: &Partial) -> Result<Partial> {
    todo!()
}
// ANCHOR_END: merge

// ANCHOR: finish
/// The attention itself, once all keys are in: acc / l, and m + ln l.
///
/// → the output `(rows, d_v)` and the log-sum-exp `(rows, 1)`. A query that saw
/// nothing gets zeros, and −∞.
pub fn finish(partial: &Partial) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: finish

// ANCHOR: tiles_to_visit
/// Under a causal mask, which tiles of keys a block of queries has to visit: the
/// first `visit` ones; and of these, the first `whole` ones need no mask, since
/// every query of the block sees all their keys.
///
/// Bottom-right: query i of `seq_q` sees the keys up to i + `seq_k` − `seq_q`.
/// Tiles have `block_k` keys, the last perhaps fewer: it is whole, too, when all see
/// its keys. Returns `(visit, whole)`. Errors when the queries are none, or not among
/// `0..seq_q`, or `block_k` is 0.
pub fn tiles_to_visit(
    queries: Range<usize>,
    seq_q: usize,
    seq_k: usize,
    block_k: usize,
) -> Result<(usize, usize)> {
    todo!()
}
// ANCHOR_END: tiles_to_visit

// ANCHOR: flash_attention
/// FlashAttention of one head: for each block of queries, one tile of keys after
/// the other, merged into what the tiles before left. `causal` is bottom-right, and
/// then only the tiles of [`tiles_to_visit`] are visited.
///
/// q `(seq_q, d)`, k `(seq_k, d)`, v `(seq_k, d_v)`; at most `block.0` queries and
/// `block.1` keys at a time → the output `(seq_q, d_v)` and the log-sum-exp
/// `(seq_q, 1)`. Queries with nothing to see get zeros and −∞; without keys, all
/// do. Errors when shapes do not fit, there are no queries, or a block is 0.
pub fn flash_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    causal: bool,
    block: (usize, usize),
) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: flash_attention

// ANCHOR: tiled_traffic
/// The numbers that travel between memory and a cache which holds one block of
/// `block_q` queries with their output, and a tile of keys and values: all queries
/// are read once, all outputs written once, and each block reads all keys and all
/// values.
///
/// `seq` queries and as many keys, `d` numbers in each query, key, value and
/// output. Errors when `block_q` is 0.
pub fn tiled_traffic(seq: usize, d: usize, block_q: usize) -> Result<usize> {
    todo!()
}
// ANCHOR_END: tiled_traffic

// ANCHOR: delta
/// For each query the dot product of its output with that output's gradient:
/// Σ out · d_out, which is also Σ p · dp over its keys. Both `(rows, d_v)` →
/// `(rows, 1)`. Errors when the shapes differ.
pub fn delta(out: &Tensor, d_out: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: delta

// ANCHOR: tile_backward
/// The way back through one tile: what its queries and keys add to the gradients.
/// The weights are computed again, p = exp(score − lse).
///
/// `block`: q `(rows, d)`, d_out `(rows, d_v)`, lse and delta `(rows, 1)`; k
/// `(cols, d)`, v `(cols, d_v)`, `keep` `(rows, cols)` → what to add to d_q
/// `(rows, d)`, d_k `(cols, d)` and d_v `(cols, d_v)`. Queries with nothing to see
/// (lse = −∞) add zeros. Errors when shapes do not fit.
pub fn tile_backward(
    block: &QueryBlock,
    k: &Tensor,
    v: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<(Tensor, Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: tile_backward
