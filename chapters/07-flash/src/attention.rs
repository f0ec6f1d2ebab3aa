//! The public functions.

use crate::kernel::Path;
use crate::lengths::Ragged;
use crate::naive;
use crate::op::{Flash, rows};
use crate::options::SdpaOptions;
use crate::shapes::Sizes;
use candle_core::{DType, Result, Tensor, bail};

/// Scaled dot-product attention by what is fastest for the device: the tiled kernel on the CPU, whatever the size;
/// plain candle operations elsewhere.
///
/// Shapes, options, special values and errors as [`flash_attention`], but for the device: any will do.
pub fn sdpa(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) -> Result<Tensor> {
    match q.device().is_cpu() {
        true => flash_attention(q, k, v, options),
        false => naive::attention(q, k, v, options),
    }
}

/// softmax(Q·Kᵀ · scale + mask)·V in tiles: memory grows with the lengths, not with their product.
///
/// - q `(batch, heads_q, seq_q, d)`, k `(batch, heads_kv, seq_k, d)`, v `(batch, heads_kv, seq_k, d_v)` →
///   `(batch, heads_q, seq_q, d_v)`. `heads_q` is a multiple of `heads_kv`; any length may be 0; any strides.
/// - f32, f64, f16 or bf16, all three the same; the result has that type, f16 and bf16 are computed in f32.
/// - A query with nothing to see, or with −∞ for all its scores, gets zeros.
/// - NaN and ±∞ in the inputs do what they do in [`naive::attention`], but a query with nothing to see stays zeros. Of the
///   others a NaN in the query, or in a key that it sees, makes the row NaN, and so does a score of +∞; a value that is not
///   finite reaches every query that sees *or hides* it, since 0 · NaN and 0 · ∞ are NaN.
/// - Sums of values are taken before they are divided: values near the end of the type's range may overflow.
///
/// `backward` gives gradients of q, k and v, computed from the weights once more (FlashAttention-2): memory again grows with
/// the lengths only. They are the same on any number of threads, and as exact as the log-sum-exp, which is kept in the type
/// computed in: relatively, weights are off by about |log-sum-exp| roundings. A query with nothing to see has a gradient of
/// zeros. A NaN or ±∞ in the inputs or in the incoming gradient makes NaN or ±∞ of what depends on it by the formulas; it may
/// also reach what it is hidden from, but no other key-value head. A bias that needs a gradient is refused:
/// [`naive::attention`] has it.
///
/// Errors when shapes, types or options do not fit, and when the tensors are not on the CPU.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use flash::{Causal, SdpaOptions, flash_attention};
///
/// let q = Tensor::randn(0f32, 1., (1, 8, 100, 64), &Device::Cpu)?;
/// let (k, v) = (q.narrow(1, 0, 2)?, q.narrow(1, 2, 2)?); // four query heads share a key-value head
/// let options = SdpaOptions::default().causal(Causal::BottomRight).window(31, None);
/// let out = flash_attention(&q, &k, &v, &options)?;
/// assert_eq!(out.dims(), [1, 8, 100, 64]);
/// # candle_core::Result::Ok(())
/// ```
pub fn flash_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: &SdpaOptions,
) -> Result<Tensor> {
    Ok(run(Path::detect()?, q, k, v, options)?.0)
}

/// As [`flash_attention`], and each row's log-sum-exp, ln Σ exp(score): `(batch, heads_q, seq_q)`, f32, without a
/// gradient. A query with nothing to see has −∞.
pub fn flash_attention_with_lse(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    flash_attention_on(Path::detect()?, q, k, v, options)
}

/// As [`flash_attention_with_lse`], on the given path of the kernel: to compare them.
///
/// Errors also when this processor lacks the path's instructions.
pub fn flash_attention_on(
    path: Path,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    run(path.here()?, q, k, v, options)
}

fn run(
    path: Path,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    apply(path, [q, k, v], (Sizes::of(q, k, v, options)?, None), options)
}

/// The output and the log-sum-exp of inputs that fit together.
pub(crate) fn apply(
    path: Path,
    [q, k, v]: [&Tensor; 3],
    sizes: (Sizes, Option<&Ragged>),
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    if !q.device().is_cpu() {
        bail!(
            "q: expected a tensor on the CPU; got one on {:?}. Use `to_device(&Device::Cpu)`, or for a dense batch `flash::sdpa`",
            q.device().location()
        );
    }
    let (dtype, inner) = (q.dtype(), naive::inner_dtype(q));
    let [q, k, v] = [rows(q, inner)?, rows(k, inner)?, rows(v, inner)?];
    let (flash, lse) = Flash::new(path, sizes, options, inner)?;
    let out = q.apply_op3(&k, &v, flash)?.to_dtype(dtype)?;
    match lse.get() {
        Some(lse) => Ok((out, lse.to_dtype(DType::F32)?)),
        None => bail!("flash-attention: the forward pass left no log-sum-exp"),
    }
}
