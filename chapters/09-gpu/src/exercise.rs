//! Week 9, your code: replace each `todo!()`, then run `cargo study check gpu`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `enum Kernel { Flash, Naive, Cpu }`: What computes an attention.
//! - `const device::AMPERE: (usize, usize) = (8, 0)` (crate `device`): The
//!   compute capability from which candle-flash-attn's kernels run.
//! - `varlen::solution::cu_seqlens(lengths: &[usize], device: &Device) ->
//!   Result<Tensor>` (week 8): Where each sequence begins when all are packed
//!   one after the other, and where the last one ends: lengths 2, 3, 4 → 0, 2,
//!   5, 9.
#![allow(unused)] // a stub uses nothing yet

use crate::attend::Kernel;
use candle_core::{D, DType, Device, Result, Tensor, bail};

// ANCHOR: forward_flops
/// The floating-point operations of both products, Q·Kᵀ and P·V: in each, one
/// multiplication and one addition per number of a head, for every pair of a
/// query and a key.
///
/// With `causal`, aligned bottom-right, only the pairs that are seen count. The
/// result may be above 2⁶⁴.
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
/// The bytes that must cross the GPU's memory bus even when everything else
/// stays on the chip: q, k and v are read once, the output is written once.
///
/// q and the output have `heads_q` heads and `seq_q` tokens, k and v have
/// `heads_kv` heads and `seq_k` tokens.
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
/// The roofline: the most operations a second that a machine can reach on work
/// of this `intensity`, in operations per byte from memory.
///
/// `peak` operations a second and `bandwidth` bytes a second belong to the
/// machine. An infinite intensity, work that needs no memory, reaches the peak.
pub fn attainable(peak: f64, bandwidth: f64, intensity: f64) -> f64 {
    todo!()
}
// ANCHOR_END: attainable

// ANCHOR: flash_layout
/// `(batch, heads, seq, head_dim)` as the GPU's kernel wants it, `(batch, seq,
/// heads, head_dim)`; and back, for it is its own inverse.
///
/// A view of the same memory: nothing is copied. Only when the `head_dim`
/// numbers of a head do not lie side by side (their stride is not 1) is a copy
/// made in which they do, because the kernel reads several at once. The gradient
/// reaches `x`. Errors unless `x` has four dimensions.
pub fn flash_layout(x: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: flash_layout

// ANCHOR: split_qkv
/// Queries, keys and values from the one product in which many models compute
/// all three: views, without a copy.
///
/// `qkv` `(total, heads_q + 2 · heads_kv, head_dim)`: first the heads of the
/// queries, then those of the keys, then those of the values → q `(total,
/// heads_q, head_dim)`, k and v `(total, heads_kv, head_dim)`. Gradients reach
/// `qkv`. Errors when the heads do not add up, or `qkv` has another rank.
pub fn split_qkv(qkv: &Tensor, heads_q: usize, heads_kv: usize) -> Result<[Tensor; 3]> {
    todo!()
}
// ANCHOR_END: split_qkv

// ANCHOR: pad_head_dim
/// `x` with zeros behind its last dimension, up to the next multiple of 8.
///
/// `(…, head_dim)` → `(…, ⌈head_dim / 8⌉ · 8)`, of the same type, any rank from 1
/// on; a scalar is an error. When nothing is missing, `x` itself: no copy. The
/// gradient reaches `x`.
pub fn pad_head_dim(x: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: pad_head_dim

// ANCHOR: check_seqlens
/// Refuses cumulative lengths with which a kernel would read or write where it
/// must not, or silently leave out tokens.
///
/// `cu_seqlens` must hold at least one sequence, begin with 0, never fall, and
/// end with `total`, the number of packed tokens. That must fit into an i32,
/// because the kernel reads it as one. No sequence may be longer than
/// `max_seqlen`, which may be too large. An error, never a panic, when one of
/// these does not hold.
pub fn check_seqlens(
    cu_seqlens: &[u32],
    total: usize, // packed tokens
    max_seqlen: usize,
) -> Result<()> {
    todo!()
}
// ANCHOR_END: check_seqlens

// ANCHOR: gpu_seqlens
/// What the kernel needs to know about a packed batch: where sequences of these
/// lengths begin and the last one ends, on `device`, and the longest length.
///
/// `(batch + 1)`, u32, and a number. Sequences may be empty. Errors when there is
/// no sequence, or the total is above `i32::MAX`, however large it is.
pub fn gpu_seqlens(lengths: &[usize], device: &Device) -> Result<(Tensor, usize)> {
    todo!()
}
// ANCHOR_END: gpu_seqlens

// ANCHOR: half_dtype
/// The half-precision type for tensors that go to the kernel together.
///
/// If all of them are f16, or all bf16: that type. Otherwise f16, which has three
/// more bits for digits, if every number fits: none is larger than 65,504 in
/// size. Otherwise bf16, which has the range of f32. An infinity does not fit; a
/// NaN is NaN in both, and decides nothing. Numbers too small for f16 are not
/// looked for. Without any number, all fit. Errors when a tensor does not hold
/// floats.
pub fn half_dtype(tensors: &[&Tensor]) -> Result<DType> {
    todo!()
}
// ANCHOR_END: half_dtype

// ANCHOR: as_accurate
/// Whether `out` is as accurate as its type allows: its largest error is at most
/// twice that of `naive`, the same attention in the same type without a kernel.
///
/// `reference` is the right result, in f64, and errors are measured in f64. A NaN
/// anywhere makes it false. True when there is nothing to compare. Errors when
/// the three shapes differ.
pub fn as_accurate(out: &Tensor, naive: &Tensor, reference: &Tensor) -> Result<bool> {
    todo!()
}
// ANCHOR_END: as_accurate

// ANCHOR: pick_kernel
/// Which attention to use for tensors of this type and size.
///
/// `capability` is the card's; `None` means no card, and the CPU's kernels. The
/// flash kernel takes f16 and bf16, on cards of capability 8.0 and above, with
/// head dims up to 512 (padded or not), and has no gradient. What it does not
/// take goes to the naive one, on the same card.
pub fn pick_kernel(
    capability: Option<(usize, usize)>,
    dtype: DType,
    head_dim: usize,
    needs_gradient: bool,
) -> Kernel {
    todo!()
}
// ANCHOR_END: pick_kernel
