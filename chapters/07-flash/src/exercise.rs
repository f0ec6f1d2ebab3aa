//! Week 7, your code: replace each `todo!()`, then run `cargo study check flash`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `struct Partial { m: Tensor, l: Tensor, acc: Tensor }`: What attention
//!   over some of the keys leaves of each query: enough to go on with other
//!   keys. Methods: `empty(q: &Tensor, v: &Tensor) -> Result<Self>`.
//! - `struct QueryBlock { q: Tensor, d_out: Tensor, lse: Tensor, delta: Tensor
//!   }`: What the backward pass through a tile needs of its queries.
//! - `blocks(len: usize, block: usize) -> Result<impl Iterator<Item =
//!   Range<usize>>>`: The ranges `0..block`, `block..2 * block`, … up to `len`,
//!   the last perhaps shorter; an error when `block` is 0.
//! - `keep_tile(queries: &Range<usize>, keys: &Range<usize>, (seq_q, seq_k):
//!   (usize, usize), like: &Tensor) -> Result<Tensor>`: A tile of the causal
//!   mask, bottom-right, for these queries and keys of sequences that are
//!   `seq_q` and `seq_k` long as a whole: u8, 1 = may attend, on the device of
//!   `like`.
//! - `lengths(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<(usize, usize)>`:
//!   How many queries and keys there are, `(seq_q, seq_k)`, or an error when
//!   shapes do not fit.
//! - `tile_scores(q: &Tensor, k: &Tensor, scale: f64, keep: Option<&Tensor>) ->
//!   Result<Tensor>`: The scores of a tile: q·kᵀ · `scale`, −∞ where `keep` is
//!   0; an error when shapes do not fit.
//! - `zero_if_infinite(x: &Tensor) -> Result<Tensor>`: `x` with 0 in place of
//!   −∞, for a maximum or a log-sum-exp that will be subtracted.
//! - `matmul(a: &Tensor, b: &Tensor) -> Result<Tensor>` (week 1): The matrix
//!   product `a·b` over the last two dimensions, one for each batch element and
//!   head in front.
#![allow(unused)] // a stub uses nothing yet

use crate::tiles::{
    Partial, QueryBlock, blocks, keep_tile, lengths, tile_scores, zero_if_infinite,
};
use candle_core::{D, Result, Tensor, bail};
use dot_products::matmul::matmul;
use std::ops::Range;

// ANCHOR: online_softmax
/// The maximum m of the scores and the sum l of exp(score − m), in one pass:
/// each score is looked at once, and no list is made of them.
///
/// Returns `(m, l)`. Scores of −∞ add nothing; with no others, or no scores at
/// all, it is (−∞, 0). Scores may be large: no exponential is taken of a number
/// above 0. NaN and +∞ do not occur.
pub fn online_softmax(scores: &[f32]) -> (f32, f32) {
    todo!()
}
// ANCHOR_END: online_softmax

// ANCHOR: lse
/// The log-sum-exp of scores, ln Σ exp(score), from their maximum `m` and `l` =
/// Σ exp(score − m). It is −∞ for (−∞, 0), where nothing is seen, and finite
/// for an m of ±10 000, too.
pub fn lse(m: f32, l: f32) -> f32 {
    todo!()
}
// ANCHOR_END: lse

// ANCHOR: tile_attention
/// Attention over one tile of keys, left unfinished: the scores q·kᵀ · `scale`,
/// their maxima m, l = Σ exp(score − m), and acc = Σ exp(score − m) · value.
///
/// q `(rows, d)`, k `(cols, d)`, v `(cols, d_v)`, `keep` `(rows, cols)`, u8, 1
/// = may attend → [`Partial`], in the type of q, computed in it (f32 or f64). A
/// query that sees no key of the tile has m = −∞, l = 0 and an acc of zeros.
/// Errors when shapes do not fit (a mask of one row is not stretched), or the
/// tile has no keys.
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
/// What attention over the keys of `a` and of `b` leaves: the larger maximum,
/// and both sums and both accumulators brought down to it.
///
/// Both of the same queries, in one type, f32 or f64, which is the result's.
/// The order does not matter, nor how three are grouped; [`Partial::empty`]
/// changes nothing. Errors when shapes differ, even where one could be
/// stretched.
pub fn merge(a: &Partial, b: &Partial) -> Result<Partial> {
    todo!()
}
// ANCHOR_END: merge

// ANCHOR: finish
/// The attention itself, once all keys are in: acc / l, and m + ln l.
///
/// → the output `(rows, d_v)` and the log-sum-exp `(rows, 1)`, in the type of
/// `partial`, computed in it (f32 or f64). A query that saw nothing gets zeros
/// and −∞.
pub fn finish(partial: &Partial) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: finish

// ANCHOR: tiles_to_visit
/// Under a causal mask, which tiles of keys a block of queries has to visit:
/// the first `visit` ones. Of these, the first `whole` ones need no mask, since
/// every query of the block sees all their keys.
///
/// Bottom-right: query i of `seq_q` sees the keys up to i + `seq_k` − `seq_q`.
/// Tiles have `block_k` keys, the last one perhaps fewer; it is whole, too,
/// when all queries see all its keys. Returns `(visit, whole)`, (0, 0) without
/// keys. Errors when `queries` is empty or not within `0..seq_q`, or `block_k`
/// is 0.
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
/// FlashAttention of one head: for each block of queries, one tile of keys
/// after another, merged into what the previous tiles left. `causal` is
/// bottom-right; then only the tiles of [`tiles_to_visit`] are visited, and a
/// NaN in one of the others does not reach the block's outputs.
///
/// q `(seq_q, d)`, k `(seq_k, d)`, v `(seq_k, d_v)`; blocks of `block.0`
/// queries and tiles of `block.1` keys at most → the output `(seq_q, d_v)` and
/// the log-sum-exp `(seq_q, 1)`, in the type of q, computed in it (f32 or f64).
/// Queries that see nothing get zeros and −∞; without keys, that is all of
/// them. Errors when shapes do not fit, there are no queries, or a block is 0.
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
/// How many numbers travel between memory and a cache that holds one block of
/// `block_q` queries with their outputs, and one tile of keys and values: all
/// queries are read once, all outputs are written once, and each block, the
/// last and shorter one too, reads all keys and all values.
///
/// `seq` queries and as many keys, `d` numbers in each query, key, value and
/// output. 0 without tokens. Errors when `block_q` is 0.
pub fn tiled_traffic(seq: usize, d: usize, block_q: usize) -> Result<usize> {
    todo!()
}
// ANCHOR_END: tiled_traffic

// ANCHOR: delta
/// For each query the dot product of its output with that output's gradient: Σ
/// out · d_out, which is also Σ p · dp over its keys. Both `(rows, d_v)` →
/// `(rows, 1)`, in the type of `out`, computed in it (f32 or f64). Errors when
/// the shapes differ, even where one could be stretched.
pub fn delta(out: &Tensor, d_out: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: delta

// ANCHOR: tile_backward
/// The backward pass of one tile: what its queries and keys add to the
/// gradients. The weights are recomputed, p = exp(score − lse).
///
/// `block`: q `(rows, d)`, d_out `(rows, d_v)`, lse and delta `(rows, 1)`; k
/// `(cols, d)`, v `(cols, d_v)`, `keep` `(rows, cols)`, u8, 1 = may attend →
/// what to add to d_q `(rows, d)`, d_k `(cols, d)` and d_v `(cols, d_v)`, in
/// the type of q, computed in it (f32 or f64). Queries that see nothing (lse =
/// −∞) add zeros. Errors when the shapes of q, d_out, k, v and `keep` do not fit
/// (a mask of one row is not stretched).
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
