//! Week 8, your code: replace each `todo!()`, then run `cargo study check varlen`.
#![allow(unused)] // a stub uses nothing yet

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
    todo!()
}
// ANCHOR_END: padding_waste

// ANCHOR: cu_seqlens
/// Where each sequence begins when all are packed one after the other, and where
/// the last one ends: lengths 2, 3, 4 → 0, 2, 5, 9.
///
/// `(batch + 1)`, u32. Empty sequences are welcome; no sequences give a single 0.
/// Errors when the total is above `u32::MAX`.
pub fn cu_seqlens(lengths: &[usize], device: &Device) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: cu_seqlens

// ANCHOR: max_seqlen
/// The length of the longest sequence: 0 when there is none.
///
/// `cu_seqlens` `(batch + 1)`, u32, beginning with 0 and never falling. Errors
/// when it is not that.
pub fn max_seqlen(cu_seqlens: &Tensor) -> Result<usize> {
    todo!()
}
// ANCHOR_END: max_seqlen

// ANCHOR: unpad
/// A padded batch without its padding: the real tokens, one sequence after the
/// other, each in its order.
///
/// `x` `(batch, seq, …)`, `keep` `(batch, seq)`, u8, not 0 = real, anywhere in a
/// row → [`Packed`]. Errors when the shapes do not fit, or batch · seq is above
/// `u32::MAX`.
pub fn unpad(x: &Tensor, keep: &Tensor) -> Result<Packed> {
    todo!()
}
// ANCHOR_END: unpad

// ANCHOR: pad
/// Packed tokens back in their places, zeros elsewhere: the inverse of `unpad` but
/// for what stood in the padding.
///
/// `tokens` `(total, …)`, `indices` `(total)`, u32, no two the same →
/// `(batch, seq, …)`. Errors when there are not as many indices as tokens, or one is
/// not below batch · seq.
pub fn pad(tokens: &Tensor, indices: &Tensor, batch: usize, seq: usize) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: pad

// ANCHOR: position_ids
/// Each packed token's position in its own sequence: 0, 2, 5 → 0, 1, 0, 1, 2.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total)`, u32. Errors as `max_seqlen`.
pub fn position_ids(cu_seqlens: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: position_ids

// ANCHOR: document_mask
/// The mask that makes dense attention over a packed row right: a query sees the
/// keys of its own sequence, with `causal` only those up to itself.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total, total)`, u8, 1 = may attend. Errors
/// as `max_seqlen`.
pub fn document_mask(cu_seqlens: &Tensor, causal: bool) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: document_mask

/// Shares out `(batch, seq, hidden)` among the heads: `(batch, num_heads, seq, head_dim)`.
pub fn split(x: &Tensor, num_heads: usize, head_dim: usize) -> Result<Tensor> {
    if x.dim(D::Minus1)? != num_heads * head_dim {
        bail!("expected hidden = {num_heads} heads · {head_dim}; got {:?}", x.dims());
    }
    split_heads(x, num_heads)
}

/// Shares out the hidden numbers of packed tokens, `(total, hidden)`: `(total, num_heads, head_dim)`.
pub fn split_packed(x: &Tensor, num_heads: usize, head_dim: usize) -> Result<Tensor> {
    let (total, hidden) = x.dims2()?;
    if hidden != num_heads * head_dim {
        bail!("expected hidden = {num_heads} heads · {head_dim}; got {:?}", x.dims());
    }
    x.reshape((total, num_heads, head_dim))
}

/// The keep-mask `(batch, seq)` of the keys `k`, for all heads and queries: `(batch, 1, 1, seq)`.
pub fn keys(keep: &Tensor, k: &Tensor) -> Result<Tensor> {
    let (batch, seq, _) = k.dims3()?;
    if keep.dtype() != DType::U8 || keep.dims() != [batch, seq] {
        let (dims, dtype) = (keep.dims(), keep.dtype());
        bail!(
            "keep: expected (batch, seq) = ({batch}, {seq}) of type U8; got {dims:?} of {dtype:?}"
        );
    }
    keep.unsqueeze(1)?.unsqueeze(1)
}

// ANCHOR: eager_bidirectional
/// Attention by candle operations, with a matrix of all scores in memory: every
/// query sees all real keys of its sequence.
///
/// q, k, v `(batch, seq, hidden)` with `hidden = num_heads · head_dim`; `keep`
/// `(batch, seq)`, u8, not 0 = real → `(batch, seq, hidden)`. What padded queries
/// get is of no use, but finite. Scores are divided by √head_dim. Errors when
/// shapes do not fit, or `keep` is not u8.
pub fn eager_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    todo!()
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
    todo!()
}
// ANCHOR_END: eager_causal

// ANCHOR: sdpa_bidirectional
/// As `eager_bidirectional`, by one call of `flash::sdpa`: no matrix of scores.
pub fn sdpa_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: sdpa_bidirectional

// ANCHOR: sdpa_causal
/// As `eager_causal`, by one call of `flash::sdpa`: no mask of all pairs either.
pub fn sdpa_causal(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    keep: &Tensor,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: sdpa_causal

// ANCHOR: flash_bidirectional
/// As `eager_bidirectional` for a packed batch: no padding is read or computed.
///
/// q, k, v `(total, hidden)`, `cu_seqlens` `(batch + 1)`, u32, `max_seqlen` the
/// longest sequence's length → `(total, hidden)`. Errors when shapes do not fit.
pub fn flash_bidirectional(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    num_heads: usize,
    head_dim: usize,
    cu_seqlens: &Tensor,
    max_seqlen: usize,
) -> Result<Tensor> {
    todo!()
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
    todo!()
}
// ANCHOR_END: flash_causal
