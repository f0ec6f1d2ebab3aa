//! Week 8, your code: replace each `todo!()`, then run `cargo study check varlen`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `flash_attention_varlen(q: &Tensor, k: &Tensor, v: &Tensor, cu_seqlens_q:
//!   &Tensor, cu_seqlens_k: &Tensor, max_seqlen_q: usize, max_seqlen_k: usize,
//!   scale: f32, causal: bool) -> Result<Tensor>`: softmax(Q·Kᵀ · scale)·V
//!   within each sequence: as candle-flash-attn's `flash_attn_varlen`, on the
//!   CPU.
//! - `struct Packed { tokens: Tensor, indices: Tensor, cu_seqlens: Tensor,
//!   max_seqlen: usize }`: The real tokens of a batch, one sequence after the
//!   other.
//! - `enum Causal { TopLeft, BottomRight }` (week 7): Which keys the future is:
//!   the two readings of a triangle that is no square.
//! - `struct SdpaOptions { mask: Option<Mask>, causal: Option<Causal>, scale:
//!   Option<f64>, softcap: Option<f64>, window: Option<(Option<usize>,
//!   Option<usize>)> }` (week 7): The options of an attention;
//!   `SdpaOptions::default()` hides nothing and scales by 1/√d. Methods:
//!   `default() -> Self`, `mask(self, mask: Mask) -> Self`, `keep(self, keep:
//!   Tensor) -> Self`, `bias(self, bias: Tensor) -> Self`, `causal(self,
//!   causal: Causal) -> Self`, `scale(self, scale: f64) -> Self`,
//!   `softcap(self, softcap: f64) -> Self`, `window(self, left: impl
//!   Into<Option<usize>>, right: impl Into<Option<usize>>) -> Self`.
//! - `sdpa(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) ->
//!   Result<Tensor>` (week 7): Scaled dot-product attention by what is fastest
//!   for the device: the tiled kernel on the CPU, whatever the size; plain
//!   candle operations elsewhere.
//! - `enum Align { TopLeft, BottomRight }` (week 3): The corner of the scores
//!   from which a causal mask counts.
//! - `causal_mask(seq_q: usize, seq_k: usize, align: Align, device: &Device) ->
//!   Result<Tensor>` (week 3): A keep-mask that hides the future: query i sees
//!   the keys up to its own position, the diagonal included.
//! - `combine_masks(first: &Tensor, second: &Tensor) -> Result<Tensor>` (week
//!   3): The keep-mask that lets through what both `first` and `second` let
//!   through.
//! - `masked_attention(query: &Tensor, key: &Tensor, value: &Tensor, mask:
//!   Option<&Tensor>) -> Result<(Tensor, Tensor)>` (week 3): softmax(Q·Kᵀ /
//!   √d_k + mask)·V: the output and the weights.
//! - `combine_heads(x: &Tensor) -> Result<Tensor>` (week 4): Puts the heads of
//!   each token side by side again: the inverse of `split_heads`.
//! - `split_heads(x: &Tensor, num_heads: usize) -> Result<Tensor>` (week 4):
//!   Shares out each token's numbers among the heads: head h gets the h-th
//!   slice of `head_dim = dim / num_heads` numbers.
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
/// `(batch + 1)`, u32. A sequence may be empty; no sequences give a single 0.
/// Errors when the total is above `u32::MAX`, even if it does not fit a usize.
pub fn cu_seqlens(lengths: &[usize], device: &Device) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: cu_seqlens

// ANCHOR: max_seqlen
/// The length of the longest sequence; 0 when there is none.
///
/// `cu_seqlens` `(batch + 1)`, u32. Errors unless it is a row of u32 that begins
/// with 0 and never falls. An empty tensor is an error too.
pub fn max_seqlen(cu_seqlens: &Tensor) -> Result<usize> {
    todo!()
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
    todo!()
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
    todo!()
}
// ANCHOR_END: pad

// ANCHOR: position_ids
/// Each packed token's position in its own sequence: 0, 2, 5 → 0, 1, 0, 1, 2.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total)`, u32. Errors for a `cu_seqlens`
/// that `max_seqlen` refuses.
pub fn position_ids(cu_seqlens: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: position_ids

// ANCHOR: document_mask
/// The mask that makes dense attention over a packed row right: a query sees the
/// keys of its own sequence, with `causal` only those up to itself.
///
/// `cu_seqlens` `(batch + 1)`, u32 → `(total, total)`, u8, 1 = may attend. Errors
/// for a `cu_seqlens` that `max_seqlen` refuses.
pub fn document_mask(cu_seqlens: &Tensor, causal: bool) -> Result<Tensor> {
    todo!()
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
    todo!()
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
    todo!()
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
