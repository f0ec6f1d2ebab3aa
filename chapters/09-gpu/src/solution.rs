//! Week 9, solved: what a GPU's kernel wants, and what it costs.

// GIVEN: device::AMPERE, varlen::solution::cu_seqlens
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
    // Query i sees the keys 0 ..= i + seq_k − seq_q.
    let seen = |query: usize| (query + 1 + seq_k).saturating_sub(seq_q);
    let pairs = if causal { (0..seq_q).map(seen).sum() } else { seq_q * seq_k };
    4. * (batch * heads_q * head_dim) as f64 * pairs as f64
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
    let (queries, keys) = (heads_q * seq_q, heads_kv * seq_k);
    let numbers = batch * head_dim * 2 * (queries + keys); // q and the output, k and v
    (numbers * dtype.size_in_bytes()) as f64
}
// ANCHOR_END: least_bytes

// ANCHOR: attainable
/// The roofline: the most operations a second that a machine can reach on work
/// of this `intensity`, in operations per byte from memory.
///
/// `peak` operations a second and `bandwidth` bytes a second belong to the
/// machine. An infinite intensity, work that needs no memory, reaches the peak.
pub fn attainable(peak: f64, bandwidth: f64, intensity: f64) -> f64 {
    peak.min(bandwidth * intensity)
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
    x.dims4()?;
    let swapped = x.transpose(1, 2)?;
    if swapped.stride()[3] == 1 { Ok(swapped) } else { swapped.contiguous() }
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
/// `(…, head_dim)` → `(…, ⌈head_dim / 8⌉ · 8)`, of the same type, any rank from 1
/// on; a scalar is an error. When nothing is missing, `x` itself: no copy. The
/// gradient reaches `x`.
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
    let [0, .., end] = *cu_seqlens else {
        bail!("cu_seqlens: expected 0 and at least one end; got {cu_seqlens:?}")
    };
    if let Some(at) = cu_seqlens.windows(2).position(|pair| pair[0] > pair[1]) {
        bail!(
            "cu_seqlens: expected ends that never fall; got {:?} at {at}",
            &cu_seqlens[at..at + 2]
        );
    }
    if end as usize != total || i32::try_from(end).is_err() {
        bail!("cu_seqlens: expected to end with {total}, below 2³¹; got {end}");
    }
    let lengths = cu_seqlens.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
    let longest = lengths.max().unwrap_or(0);
    if longest > max_seqlen {
        bail!("max_seqlen: expected at least {longest}, the longest; got {max_seqlen}");
    }
    Ok(())
}
// ANCHOR_END: check_seqlens

// ANCHOR: gpu_seqlens
/// What the kernel needs to know about a packed batch: where sequences of these
/// lengths begin and the last one ends, on `device`, and the longest length.
///
/// `(batch + 1)`, u32, and a number. Sequences may be empty. Errors when there is
/// no sequence, or the total is above `i32::MAX`, however large it is.
pub fn gpu_seqlens(lengths: &[usize], device: &Device) -> Result<(Tensor, usize)> {
    let total = lengths.iter().fold(0usize, |sum, length| sum.saturating_add(*length));
    if lengths.is_empty() || i32::try_from(total).is_err() {
        let count = lengths.len();
        bail!("lengths: expected some, with a sum below 2³¹; got {count}, sum {total}");
    }
    let cu_seqlens = varlen::solution::cu_seqlens(lengths, device)?;
    Ok((cu_seqlens, lengths.iter().copied().max().unwrap_or(0)))
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
/// Whether `out` is as accurate as its type allows: its largest error is at most
/// twice that of `naive`, the same attention in the same type without a kernel.
///
/// `reference` is the right result, in f64, and errors are measured in f64. A NaN
/// anywhere makes it false. True when there is nothing to compare. Errors when
/// the three shapes differ.
pub fn as_accurate(out: &Tensor, naive: &Tensor, reference: &Tensor) -> Result<bool> {
    let reference = reference.to_dtype(DType::F64)?;
    let largest_error = |x: &Tensor| -> Result<f64> {
        let errors = (x.to_dtype(DType::F64)? - &reference)?.abs()?;
        let errors = errors.flatten_all()?.to_vec1::<f64>()?;
        // `f64::max` passes over a NaN, and candle's mostly does: here it must win.
        let nan = errors.iter().any(|error| error.is_nan());
        Ok(if nan { f64::NAN } else { errors.into_iter().fold(0., f64::max) })
    };
    Ok(largest_error(out)? <= 2. * largest_error(naive)?)
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
    let Some(capability) = capability else { return Kernel::Cpu };
    let half = matches!(dtype, DType::F16 | DType::BF16);
    match capability >= device::AMPERE && half && head_dim <= 512 && !needs_gradient {
        true => Kernel::Flash,
        false => Kernel::Naive,
    }
}
// ANCHOR_END: pick_kernel
