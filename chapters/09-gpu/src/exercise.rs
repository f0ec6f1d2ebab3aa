//! Week 9, your code: replace each `todo!()`, then run `cargo study check gpu`.
#![allow(unused)] // a stub uses nothing yet

use crate::attend::Kernel;
use candle_core::{D, DType, Device, Result, Tensor, bail};

// ANCHOR: forward_flops
/// The floating-point operations of both products, Q·Kᵀ and P·V: a
/// multiplication and an addition for each number of a head, for each pair of
/// query and key.
///
/// With `causal`, aligned bottom-right, only the pairs that are seen count. The
/// number may be above 2⁶⁴.
pub fn forward_flops(
    batch: usize,
    heads_q: usize,
    seq_q: usize,
    seq_k: usize,
    head_dim: usize,
    causal: bool,
) -> f64 {
    todo!()
}
// ANCHOR_END: forward_flops

// ANCHOR: least_bytes
/// The bytes that must cross the GPU's memory bus even if everything else
/// stays on the chip: q, k and v read once, the output written once.
pub fn least_bytes(
    batch: usize,
    heads_q: usize,
    heads_kv: usize,
    seq_q: usize,
    seq_k: usize,
    head_dim: usize,
    dtype: DType,
) -> f64 {
    todo!()
}
// ANCHOR_END: least_bytes

// ANCHOR: attainable
/// The roofline: how many operations a second are attainable at most, when
/// `flops` operations need `bytes` from memory.
///
/// `peak` operations a second and `bandwidth` bytes a second are the
/// machine's. Work that needs no memory reaches the peak.
pub fn attainable(peak: f64, bandwidth: f64, flops: f64, bytes: f64) -> f64 {
    todo!()
}
// ANCHOR_END: attainable

// ANCHOR: flash_layout
/// `(batch, heads, seq, head_dim)` as the GPU's kernel wants it, `(batch, seq,
/// heads, head_dim)`; and back, for it is its own inverse.
///
/// A view of the same memory: nothing is copied. Only when the `head_dim`
/// numbers of a token in a head do not lie side by side, a copy is made in which
/// they do, for the kernel reads them in one go. Errors when `x` has another
/// rank.
pub fn flash_layout(x: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: flash_layout

// ANCHOR: split_qkv
/// Queries, keys and values out of the one product that many models compute
/// for all three: views, without a copy.
///
/// `qkv` `(total, heads_q + 2 · heads_kv, head_dim)`: first the heads of the
/// queries, then those of the keys, then those of the values → q `(total,
/// heads_q, head_dim)`, k and v `(total, heads_kv, head_dim)`. Errors when the
/// heads do not add up.
pub fn split_qkv(qkv: &Tensor, heads_q: usize, heads_kv: usize) -> Result<[Tensor; 3]> {
    todo!()
}
// ANCHOR_END: split_qkv

// ANCHOR: pad_head_dim
/// `x` with zeros behind its last dimension, up to the next multiple of 8.
///
/// `(…, head_dim)` → `(…, ⌈head_dim / 8⌉ · 8)`, any rank from 1 on. The kernel
/// takes no other head dims. As it is when nothing is missing.
pub fn pad_head_dim(x: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: pad_head_dim

// ANCHOR: check_seqlens
/// Refuses cumulative lengths with which a kernel would read or write where it
/// must not, or leave out tokens without a word.
///
/// `cu_seqlens` holds at least one sequence, begins with 0, never falls, ends
/// with `total`, the packed tokens there are, and that fits into an i32, which
/// the kernel reads it as. No sequence is longer than `max_seqlen`; it may be
/// larger. Errors when something of this does not hold.
pub fn check_seqlens(cu_seqlens: &[u32], total: usize, max_seqlen: usize) -> Result<()> {
    todo!()
}
// ANCHOR_END: check_seqlens

// ANCHOR: gpu_seqlens
/// Where sequences of these lengths begin and the last one ends, on `device`,
/// and the length of the longest: what the kernel wants to know of a packed
/// batch.
///
/// `(batch + 1)`, u32, and a number. Errors when there is no sequence, or the
/// total is above `i32::MAX`, and be it above `usize::MAX`.
pub fn gpu_seqlens(lengths: &[usize], device: &Device) -> Result<(Tensor, usize)> {
    todo!()
}
// ANCHOR_END: gpu_seqlens

// ANCHOR: half_dtype
/// The half-precision type for tensors that go to the kernel together.
///
/// Theirs, if all have the same and it is f16 or bf16. Else f16, which has
/// three bits more, when every number fits: none is larger than 65,504. Else
/// bf16, which has f32's range. Infinities do not fit; NaN is NaN in both.
/// Numbers that are too small, which become 0 in f16, are not looked for. Where
/// there is no number at all, all fit. Errors for types that are no floats.
pub fn half_dtype(tensors: &[&Tensor]) -> Result<DType> {
    todo!()
}
// ANCHOR_END: half_dtype

// ANCHOR: as_accurate
/// Whether `out` is as good as its type allows: its largest error is at most
/// twice that of `naive`, the same attention in the same type without any
/// kernel.
///
/// `reference` is the right result, in f64. All have one shape. A NaN anywhere
/// is not good. True when there is nothing to compare. Errors when the shapes
/// differ.
pub fn as_accurate(out: &Tensor, naive: &Tensor, reference: &Tensor) -> Result<bool> {
    todo!()
}
// ANCHOR_END: as_accurate

// ANCHOR: pick_kernel
/// Which attention to take for tensors of this type and size.
///
/// `capability` is the card's, `None` without a card: then the CPU's. The
/// flash kernel takes f16 and bf16, on cards from 8.0 on, head dims up to 512
/// once they are padded, and has no gradient; what it does not take goes to
/// the naive one, on the same card.
pub fn pick_kernel(
    capability: Option<(usize, usize)>,
    dtype: DType,
    head_dim: usize,
    needs_gradient: bool,
) -> Kernel {
    todo!()
}
// ANCHOR_END: pick_kernel
