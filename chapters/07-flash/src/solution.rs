//! Week 7, solved: FlashAttention in candle operations, one head, one tile at a time.

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
    let (mut m, mut l) = (f32::NEG_INFINITY, 0.);
    for &score in scores {
        if score > m {
            l *= (m - score).exp(); // what was summed, relative to the new maximum
            m = score;
        }
        if m > f32::NEG_INFINITY {
            l += (score - m).exp();
        }
    }
    (m, l)
}
// ANCHOR_END: online_softmax

// ANCHOR: lse
/// The log-sum-exp of scores, ln Σ exp(score), from their maximum `m` and `l` =
/// Σ exp(score − m). It is −∞ for (−∞, 0), where nothing is seen, and finite
/// for an m of ±10 000, too.
pub fn lse(m: f32, l: f32) -> f32 {
    m + l.ln()
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
    let s = tile_scores(q, k, scale, keep)?;
    let m = s.max_keepdim(D::Minus1)?; // (rows, 1)
    let p = s.broadcast_sub(&zero_if_infinite(&m)?)?.exp()?; // (rows, cols)
    Ok(Partial { m, l: p.sum_keepdim(D::Minus1)?, acc: matmul(&p, v)? })
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
    let m = a.m.maximum(&b.m)?;
    let base = zero_if_infinite(&m)?;
    // At most 1 each.
    let (from_a, from_b) = ((&a.m - &base)?.exp()?, (&b.m - &base)?.exp()?);
    let l = ((&a.l * &from_a)? + (&b.l * &from_b)?)?;
    let acc = (a.acc.broadcast_mul(&from_a)? + b.acc.broadcast_mul(&from_b)?)?;
    Ok(Partial { m, l, acc })
}
// ANCHOR_END: merge

// ANCHOR: finish
/// The attention itself, once all keys are in: acc / l, and m + ln l.
///
/// → the output `(rows, d_v)` and the log-sum-exp `(rows, 1)`, in the type of
/// `partial`, computed in it (f32 or f64). A query that saw nothing gets zeros
/// and −∞.
pub fn finish(partial: &Partial) -> Result<(Tensor, Tensor)> {
    let nothing = partial.l.eq(0.)?;
    let divisor = nothing.where_cond(&partial.l.ones_like()?, &partial.l)?;
    Ok((partial.acc.broadcast_div(&divisor)?, (&partial.m + partial.l.log()?)?))
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
    if queries.is_empty() || queries.end > seq_q || block_k == 0 {
        bail!(
            "expected queries within 0..{seq_q}, block_k above 0; \
             got {queries:?}, {block_k}"
        );
    }
    // The keys 0..sees.
    let sees = |query: usize| (query + 1 + seq_k).saturating_sub(seq_q);
    let (first, last) = (sees(queries.start), sees(queries.end - 1));
    let whole = if first == seq_k { seq_k.div_ceil(block_k) } else { first / block_k };
    Ok((last.div_ceil(block_k), whole))
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
    let (seq_q, seq_k) = lengths(q, k, v)?;
    let (mut out, mut lse) = (vec![], vec![]);
    for queries in blocks(seq_q, block.0)? {
        let q = q.narrow(0, queries.start, queries.len())?;
        let (visit, whole) = match causal {
            true => tiles_to_visit(queries.clone(), seq_q, seq_k, block.1)?,
            false => (usize::MAX, usize::MAX),
        };
        let mut state = Partial::empty(&q, v)?;
        for (at, keys) in blocks(seq_k, block.1)?.enumerate().take(visit) {
            let keep = match at < whole {
                true => None,
                false => Some(keep_tile(&queries, &keys, (seq_q, seq_k), &q)?),
            };
            let k = k.narrow(0, keys.start, keys.len())?;
            let v = v.narrow(0, keys.start, keys.len())?;
            state = merge(&state, &tile_attention(&q, &k, &v, scale, keep.as_ref())?)?;
        }
        let (block_out, block_lse) = finish(&state)?;
        out.push(block_out);
        lse.push(block_lse);
    }
    Ok((Tensor::cat(&out, 0)?, Tensor::cat(&lse, 0)?))
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
    if block_q == 0 {
        bail!("block_q: expected at least 1 query; got 0");
    }
    Ok(2 * seq * d + seq.div_ceil(block_q) * 2 * seq * d)
}
// ANCHOR_END: tiled_traffic

// ANCHOR: delta
/// For each query the dot product of its output with that output's gradient: Σ
/// out · d_out, which is also Σ p · dp over its keys. Both `(rows, d_v)` →
/// `(rows, 1)`, in the type of `out`, computed in it (f32 or f64). Errors when
/// the shapes differ, even where one could be stretched.
pub fn delta(out: &Tensor, d_out: &Tensor) -> Result<Tensor> {
    (out * d_out)?.sum_keepdim(D::Minus1)
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
    let s = tile_scores(&block.q, k, scale, keep)?;
    let p = s.broadcast_sub(&zero_if_infinite(&block.lse)?)?.exp()?;
    let d_v = matmul(&p.t()?, &block.d_out)?;
    let d_p = matmul(&block.d_out, &v.t()?)?;
    let d_s = ((&p * d_p.broadcast_sub(&block.delta)?)? * scale)?; // of q·kᵀ
    Ok((matmul(&d_s, k)?, matmul(&d_s.t()?, &block.q)?, d_v))
}
// ANCHOR_END: tile_backward
