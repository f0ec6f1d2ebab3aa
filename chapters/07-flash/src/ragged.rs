//! Attention over a packed batch: sequences of different lengths, one after the other, with nothing between them.

pub use crate::lengths::Ragged;

use crate::attention::apply;
use crate::kernel::Path;
use crate::options::SdpaOptions;
use crate::shapes::Sizes;
use candle_core::{Result, Tensor};

/// Attention within each sequence of a packed batch, all of them in one go: the output and each row's log-sum-exp.
///
/// - q `(total_q, heads_q, d)`, k `(total_k, heads_kv, d)`, v `(total_k, heads_kv, d_v)` → `(total_q, heads_q, d_v)`,
///   and the log-sum-exp `(heads_q, total_q)`, f32, without a gradient; −∞ for a query with nothing to see.
/// - Causal and window mean what they mean for each sequence alone. Types, strides and special values are as in
///   [`crate::flash_attention`]; what is not finite stays within its sequence.
/// - Each sequence's output and log-sum-exp have the same bits as alone, whatever else is in the batch.
/// - q, k and v get gradients, which stay within their sequences too, and may differ from those alone by rounding.
///
/// Errors as [`crate::flash_attention`], and when `ragged` does not belong to q and k, or a mask is given: there is
/// no shape that all sequences share.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use flash::{Causal, SdpaOptions, ragged};
///
/// let x = Tensor::randn(0f32, 1., (9, 8, 64), &Device::Cpu)?; // 2 + 3 + 4 tokens of 8 heads
/// let ends = Tensor::new(&[0u32, 2, 5, 9], &Device::Cpu)?;
/// let sequences = ragged::Ragged::new(&ends, &ends)?;
/// let options = SdpaOptions::default().causal(Causal::BottomRight);
/// let (out, lse) = ragged::attention(&x, &x, &x, &sequences, &options)?;
/// assert_eq!((out.dims(), lse.dims()), ([9, 8, 64].as_slice(), [8, 9].as_slice()));
/// # candle_core::Result::Ok(())
/// ```
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ragged: &Ragged,
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    attention_on(Path::detect()?, q, k, v, ragged, options)
}

/// As [`attention`], on the given path of the kernel: to compare them.
///
/// Errors also when this processor lacks the path's instructions.
pub fn attention_on(
    path: Path,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ragged: &Ragged,
    options: &SdpaOptions,
) -> Result<(Tensor, Tensor)> {
    let sizes = Sizes::packed([q, k, v], ragged, options)?;
    apply(path.here()?, [q, k, v], (sizes, Some(ragged)), options)
}
