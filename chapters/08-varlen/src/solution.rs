//! Week 8, solved: packing, and attention six ways.

use crate::{flash_attention_varlen, packed::Packed};
use candle_core::{D, DType, Device, Result, Tensor, bail};
use flash::{Causal, SdpaOptions, sdpa};
use masking::{
    conventions::Align,
    solution::{causal_mask, combine_masks, masked_attention},
};
use multi_head::solution::{combine_heads, split_heads};

// ANCHOR: padding_waste
/// What padding to the longest sequence costs: the share of the batch · longest
/// tokens that are padding, and the share of the batch · longest² scores whose
/// query or key is padding.
///
/// Both from 0 to 1; (0, 0) for a batch without tokens.
pub fn padding_waste(lengths: &[usize]) -> (f64, f64) {
    let longest = lengths.iter().copied().max().unwrap_or(0) as f64;
    if longest == 0. {
        return (0., 0.);
    }
    let batch = lengths.len() as f64;
    let real = |power| lengths.iter().map(|n| (*n as f64).powi(power)).sum::<f64>();
    let waste = |power| 1. - real(power) / (batch * longest.powi(power));
    (waste(1), waste(2)) // tokens, pairs
}
// ANCHOR_END: padding_waste

// ANCHOR: cu_seqlens
/// Where each sequence begins when all are packed one after the other, and where
/// the last one ends: lengths 2, 3, 4 → 0, 2, 5, 9.
///
/// `(batch + 1)`, u32. A sequence may be empty; no sequences give a single 0.
/// Errors when the total is above `u32::MAX`, even if it does not fit a usize.
pub fn cu_seqlens(lengths: &[usize], device: &Device) -> Result<Tensor> {
    let (mut ends, mut total) = (vec![0u32], 0usize);
    for length in lengths {
        total = total.saturating_add(*length);
        match u32::try_from(total) {
            Ok(end) => ends.push(end),
            Err(_) => bail!("lengths: {total} tokens are more than a u32 counts"),
        }
    }
    Tensor::new(ends, device)
}
// ANCHOR_END: cu_seqlens

// ANCHOR: max_seqlen
/// The length of the longest sequence; 0 when there is none.
///
/// `cu_seqlens` `(batch + 1)`, u32. Errors unless it is a row of u32 that begins
/// with 0 and never falls. An empty tensor is an error too.
pub fn max_seqlen(cu_seqlens: &Tensor) -> Result<usize> {
    let ends = cu_seqlens.to_vec1::<u32>()?;
    if ends.first() != Some(&0) || !ends.is_sorted() {
        bail!("cu_seqlens: expected 0 and then ends that never fall; got {ends:?}");
    }
    Ok(ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0) as usize)
}
// ANCHOR_END: max_seqlen

// ANCHOR: unpad
/// A padded batch without its padding: the real tokens, one sequence after the
/// other, each in its order.
///
/// `x` `(batch, seq, …)`, `keep` `(batch, seq)`, u8, not 0 = real, anywhere in a
/// row → [`Packed`]. batch and seq may be 0, and a sequence may have no real
/// token. The gradient reaches `x`. Errors when `keep` does not have the first two
/// dimensions of `x`.
pub fn unpad(x: &Tensor, keep: &Tensor) -> Result<Packed> {
    let (batch, seq) = keep.dims2()?;
    if x.rank() < 2 || x.dims()[..2] != [batch, seq] {
        bail!("x: expected ({batch}, {seq}, …), as keep has; got {:?}", x.dims());
    }
    let Ok(places) = u32::try_from(batch * seq) else {
        bail!("keep: expected at most {} places; got {batch} · {seq}", u32::MAX)
    };
    let rows = keep.to_vec2::<u8>()?;
    let lengths: Vec<usize> =
        rows.iter().map(|row| row.iter().filter(|real| **real != 0).count()).collect();
    let real = (0..places).zip(rows.concat()).filter(|(_, real)| *real != 0);
    let indices: Vec<u32> = real.map(|(at, _)| at).collect();
    let total = indices.len();
    let indices = Tensor::from_vec(indices, total, x.device())?;
    let cu_seqlens = cu_seqlens(&lengths, x.device())?;
    let max_seqlen = max_seqlen(&cu_seqlens)?;
    let tokens = x.flatten(0, 1)?.index_select(&indices, 0)?; // (total, …)
    Ok(Packed { tokens, indices, cu_seqlens, max_seqlen })
}
// ANCHOR_END: unpad

// ANCHOR: pad
/// Packed tokens back in their places, zeros elsewhere: the inverse of `unpad`,
/// except for what stood in the padding.
///
/// `tokens` `(total, …)`, `indices` `(total)`, u32, no two the same →
/// `(batch, seq, …)`, of the same type. There may be no tokens. The gradient
/// reaches `tokens`. Errors unless there is one index per token, each below
/// batch · seq (candle does not refuse `u32::MAX`).
pub fn pad(
    tokens: &Tensor,
    indices: &Tensor,
    batch: usize, // sequences of the padded batch
    seq: usize,   // and their length
) -> Result<Tensor> {
    let (total, places) = (tokens.dim(0)?, batch * seq);
    let at = indices.to_vec1::<u32>()?;
    if at.len() != total || at.iter().any(|&at| at as usize >= places) {
        bail!("indices: expected {total} numbers below {batch} · {seq}; got {at:?}");
    }
    let rest = &tokens.dims()[1..];
    let shape = [&[places], rest].concat();
    let zeros = Tensor::zeros(shape, tokens.dtype(), tokens.device())?;
    let full = zeros.index_add(indices, &tokens.contiguous()?, 0)?; // (batch · seq, …)
    full.reshape([&[batch, seq], rest].concat())
}
// ANCHOR_END: pad

// ANCHOR: position_ids
/// Each packed token's position in its own sequence: 0, 2, 5 → 0, 1, 0, 1, 2.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total)`, u32. Errors for a `cu_seqlens`
/// that `max_seqlen` refuses.
pub fn position_ids(cu_seqlens: &Tensor) -> Result<Tensor> {
    max_seqlen(cu_seqlens)?;
    let ends = cu_seqlens.to_vec1::<u32>()?;
    let ids: Vec<u32> = ends.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect();
    Tensor::new(ids, cu_seqlens.device())
}
// ANCHOR_END: position_ids

// ANCHOR: document_mask
/// The mask that makes dense attention over a packed row right: a query sees the
/// keys of its own sequence, with `causal` only those up to itself.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total, total)`, u8, 1 = may attend. Errors
/// for a `cu_seqlens` that `max_seqlen` refuses.
pub fn document_mask(cu_seqlens: &Tensor, causal: bool) -> Result<Tensor> {
    max_seqlen(cu_seqlens)?;
    let ends = cu_seqlens.to_vec1::<u32>()?;
    let mut id = vec![]; // of each token, the number of its sequence
    for (sequence, pair) in ends.windows(2).enumerate() {
        id.extend((pair[0]..pair[1]).map(|_| sequence));
    }
    let total = id.len();
    let sees = |q: usize, k: usize| id[q] == id[k] && (!causal || k <= q);
    let pairs = (0..total).flat_map(|query| (0..total).map(move |key| (query, key)));
    let mask: Vec<u8> = pairs.map(|(query, key)| sees(query, key).into()).collect();
    Tensor::from_vec(mask, (total, total), cu_seqlens.device())
}
// ANCHOR_END: document_mask

/// Splits `(batch, seq, hidden)` into heads: `(batch, num_heads, seq, head_dim)`.
pub fn split(x: &Tensor, num_heads: usize, head_dim: usize) -> Result<Tensor> {
    if x.dim(D::Minus1)? != num_heads * head_dim {
        bail!("expected hidden = {num_heads} heads · {head_dim}; got {:?}", x.dims());
    }
    split_heads(x, num_heads)
}

/// Splits packed tokens `(total, hidden)` into heads: `(total, num_heads, head_dim)`.
pub fn split_packed(x: &Tensor, num_heads: usize, head_dim: usize) -> Result<Tensor> {
    let (total, hidden) = x.dims2()?;
    if hidden != num_heads * head_dim {
        bail!("expected hidden = {num_heads} heads · {head_dim}; got {:?}", x.dims());
    }
    x.reshape((total, num_heads, head_dim))
}

/// The keep-mask `(batch, seq)` of the keys `k`, for all heads and queries:
/// `(batch, 1, 1, seq)`.
pub fn keys(keep: &Tensor, k: &Tensor) -> Result<Tensor> {
    let (batch, seq, _) = k.dims3()?;
    if keep.dtype() != DType::U8 || keep.dims() != [batch, seq] {
        let (dims, dtype) = (keep.dims(), keep.dtype());
        bail!("keep: expected ({batch}, {seq}) of type U8; got {dims:?} of {dtype:?}");
    }
    keep.unsqueeze(1)?.unsqueeze(1)
}

// ANCHOR: eager_bidirectional
/// Attention by candle operations, with a matrix of all scores in memory: every
/// query sees all real keys of its sequence.
///
/// q, k, v `(batch, seq, hidden)` with `hidden = num_heads · head_dim`; `keep`
/// `(batch, seq)`, u8, not 0 = real → `(batch, seq, hidden)`. Scores are divided
/// by √head_dim. What padded queries get does not matter, but it is finite. batch
/// and seq may be 0. f64 is computed in f64. Gradients reach q, k and v. Errors
/// when shapes do not fit, or `keep` is not u8.
pub fn eager_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    let heads = |x| split(x, num_heads, head_dim);
    let mask = keys(keep, k)?; // (batch, 1, 1, seq)
    let (out, _) = masked_attention(&heads(q)?, &heads(k)?, &heads(v)?, Some(&mask))?;
    combine_heads(&out)
}
// ANCHOR_END: eager_bidirectional

// ANCHOR: eager_causal
/// As `eager_bidirectional`, but a query sees no key after its own position.
pub fn eager_causal(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    let heads = |x| split(x, num_heads, head_dim);
    let seq = keep.dim(1)?;
    let causal = causal_mask(seq, seq, Align::TopLeft, keep.device())?;
    let mask = combine_masks(&keys(keep, k)?, &causal)?; // (batch, 1, seq, seq)
    let (out, _) = masked_attention(&heads(q)?, &heads(k)?, &heads(v)?, Some(&mask))?;
    combine_heads(&out)
}
// ANCHOR_END: eager_causal

// ANCHOR: sdpa_bidirectional
/// As `eager_bidirectional`, by one call of `flash::sdpa`: no matrix of scores
/// (not checked; the table of six shows what that gains).
pub fn sdpa_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    let heads = |x| split(x, num_heads, head_dim);
    let options = SdpaOptions::default().keep(keys(keep, k)?);
    combine_heads(&sdpa(&heads(q)?, &heads(k)?, &heads(v)?, &options)?)
}
// ANCHOR_END: sdpa_bidirectional

// ANCHOR: sdpa_causal
/// As `eager_causal`, by one call of `flash::sdpa`: no mask of all pairs either
/// (not checked; the table of six shows what that gains).
pub fn sdpa_causal(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    let heads = |x| split(x, num_heads, head_dim);
    let options = SdpaOptions::default().keep(keys(keep, k)?).causal(Causal::TopLeft);
    combine_heads(&sdpa(&heads(q)?, &heads(k)?, &heads(v)?, &options)?)
}
// ANCHOR_END: sdpa_causal

// ANCHOR: flash_bidirectional
/// As `eager_bidirectional` for a packed batch: no padding is read or computed, no
/// scores across sequences (not checked; the table of six shows what that gains).
///
/// q, k, v `(total, hidden)`, `cu_seqlens` `(batch + 1)`, u32, `max_seqlen` the
/// longest sequence's length → `(total, hidden)`. There may be no tokens, and
/// empty sequences. f64 is computed in f64, but for the scale, which the call takes
/// as f32. Gradients reach q, k and v. Errors when shapes do not fit, or
/// `cu_seqlens` is not a row of u32 that begins with 0, never falls and ends with
/// `total`.
pub fn flash_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    cu_seqlens: &Tensor,
    max_seqlen: usize,
) -> Result<Tensor> {
    let heads = |x| split_packed(x, num_heads, head_dim);
    let (q, k, v) = (heads(q)?, heads(k)?, heads(v)?);
    let (cu, max, scale) = (cu_seqlens, max_seqlen, 1. / (head_dim as f32).sqrt());
    flash_attention_varlen(&q, &k, &v, cu, cu, max, max, scale, false)?.flatten(1, 2)
}
// ANCHOR_END: flash_bidirectional

// ANCHOR: flash_causal
/// As `flash_bidirectional`, but a query sees no key after its own position.
pub fn flash_causal(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    cu_seqlens: &Tensor,
    max_seqlen: usize,
) -> Result<Tensor> {
    let heads = |x| split_packed(x, num_heads, head_dim);
    let (q, k, v) = (heads(q)?, heads(k)?, heads(v)?);
    let (cu, max, scale) = (cu_seqlens, max_seqlen, 1. / (head_dim as f32).sqrt());
    flash_attention_varlen(&q, &k, &v, cu, cu, max, max, scale, true)?.flatten(1, 2)
}
// ANCHOR_END: flash_causal
