//! Week 9, solved: what a GPU's kernel wants, and what it costs.

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
    // Query i sees the keys 0 ..= i + seq_k − seq_q.
    let seen = |query: usize| (query + 1 + seq_k).saturating_sub(seq_q);
    let pairs = if causal { (0..seq_q).map(seen).sum() } else { seq_q * seq_k };
    4. * (batch * heads_q * head_dim) as f64 * pairs as f64
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
    let (queries, keys) = (heads_q * seq_q, heads_kv * seq_k);
    let numbers = batch * head_dim * 2 * (queries + keys); // q and the output, k and v
    (numbers * dtype.size_in_bytes()) as f64
}
// ANCHOR_END: least_bytes

// ANCHOR: attainable
/// The roofline: how many operations a second are attainable at most, when
/// `flops` operations need `bytes` from memory.
///
/// `peak` operations a second and `bandwidth` bytes a second are the
/// machine's. Work that needs no memory reaches the peak.
pub fn attainable(peak: f64, bandwidth: f64, flops: f64, bytes: f64) -> f64 {
    if bytes == 0. { peak } else { peak.min(bandwidth * flops / bytes) }
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
    x.dims4()?;
    let swapped = x.transpose(1, 2)?;
    if swapped.stride()[3] == 1 { Ok(swapped) } else { swapped.contiguous() }
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
    let (_, heads, _) = qkv.dims3()?;
    if heads != heads_q + 2 * heads_kv {
        bail!("qkv: expected {heads_q} + 2 · {heads_kv} heads; got {heads}");
    }
    let q = qkv.narrow(1, 0, heads_q)?;
    let k = qkv.narrow(1, heads_q, heads_kv)?;
    let v = qkv.narrow(1, heads_q + heads_kv, heads_kv)?;
    Ok([q, k, v])
}
// ANCHOR_END: split_qkv

// ANCHOR: pad_head_dim
/// `x` with zeros behind its last dimension, up to the next multiple of 8.
///
/// `(…, head_dim)` → `(…, ⌈head_dim / 8⌉ · 8)`, any rank from 1 on. The kernel
/// takes no other head dims. As it is when nothing is missing.
pub fn pad_head_dim(x: &Tensor) -> Result<Tensor> {
    let head_dim = x.dim(D::Minus1)?;
    match head_dim.next_multiple_of(8) - head_dim {
        0 => Ok(x.clone()),
        missing => x.pad_with_zeros(D::Minus1, 0, missing),
    }
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
    let (Some(0), Some(&end)) = (cu_seqlens.first(), cu_seqlens.get(1..).and_then(<[u32]>::last))
    else {
        bail!("cu_seqlens: expected 0 and then an end a sequence, at least one; got {cu_seqlens:?}")
    };
    if let Some(at) = cu_seqlens.windows(2).position(|pair| pair[0] > pair[1]) {
        bail!(
            "cu_seqlens: expected ends that never fall; got {:?} at {at}",
            &cu_seqlens[at..at + 2]
        );
    }
    if end as usize != total || i32::try_from(end).is_err() {
        bail!("cu_seqlens: expected {total} at its end, at most {}; got {end}", i32::MAX);
    }
    let longest = cu_seqlens.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    if longest as usize > max_seqlen {
        bail!("max_seqlen: expected at least {longest}, the longest sequence; got {max_seqlen}");
    }
    Ok(())
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
    let total = lengths.iter().fold(0usize, |sum, length| sum.saturating_add(*length));
    if lengths.is_empty() || i32::try_from(total).is_err() {
        bail!(
            "lengths: expected at least one, {} tokens at most; got {} of {total} tokens",
            i32::MAX,
            lengths.len()
        );
    }
    let cu_seqlens = varlen::solution::cu_seqlens(lengths, device)?;
    Ok((cu_seqlens, lengths.iter().copied().max().unwrap_or(0)))
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
    if let [first, rest @ ..] = tensors
        && matches!(first.dtype(), DType::F16 | DType::BF16)
        && rest.iter().all(|x| x.dtype() == first.dtype())
    {
        return Ok(first.dtype());
    }
    if let Some(other) = tensors.iter().find(|x| !x.dtype().is_float()) {
        bail!("expected floats; got {:?}", other.dtype());
    }
    for x in tensors.iter().filter(|x| x.elem_count() > 0) {
        let too_large = x.to_dtype(DType::F32)?.abs()?.gt(65_504f64)?;
        if too_large.max_all()?.to_scalar::<u8>()? != 0 {
            return Ok(DType::BF16);
        }
    }
    Ok(DType::F16)
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
    let reference = reference.to_dtype(DType::F64)?;
    let largest_error = |x: &Tensor| -> Result<f64> {
        let errors = (x.to_dtype(DType::F64)? - &reference)?.abs()?;
        let errors = errors.flatten_all()?.to_vec1::<f64>()?;
        // `f64::max` passes over NaN, candle's over any but a first one: here it must win.
        let nan = errors.iter().any(|error| error.is_nan());
        Ok(if nan { f64::NAN } else { errors.into_iter().fold(0., f64::max) })
    };
    Ok(largest_error(out)? <= 2. * largest_error(naive)?)
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
    let Some(capability) = capability else { return Kernel::Cpu };
    let half = matches!(dtype, DType::F16 | DType::BF16);
    match capability >= device::AMPERE && half && head_dim <= 512 && !needs_gradient {
        true => Kernel::Flash,
        false => Kernel::Naive,
    }
}
// ANCHOR_END: pick_kernel
