//! Attention within each sequence of a packed batch, with the arguments of candle-flash-attn's `flash_attn_varlen`.
//!
//! `cu_seqlens` are cumulative lengths: sequences of 2, 3 and 4 tokens are `[0, 2, 5, 9]`, and the tokens 2, 3 and 4
//! are the second sequence. Queries and keys of a sequence may differ in number; each has its own `cu_seqlens`.

use candle_core::{Result, Tensor, bail};
use flash::ragged::{self, Ragged};
use flash::{Causal, SdpaOptions};

/// softmax(Q·Kᵀ · scale)·V within each sequence: as candle-flash-attn's `flash_attn_varlen`, on the CPU.
///
/// - q `(total_q, heads_q, d)`, k `(total_k, heads_kv, d)`, v `(total_k, heads_kv, d_v)` → `(total_q, heads_q, d_v)`.
///   `heads_q` is a multiple of `heads_kv`; any length, and the batch, may be 0; any strides.
/// - f32, f64, f16 or bf16, all three the same; the result has that type, f16 and bf16 are computed in f32.
/// - `cu_seqlens_q` and `cu_seqlens_k` are u32, `(batch + 1)`: 0, then where each sequence ends; the last is
///   `total_q` and `total_k`.
/// - `max_seqlen_q` and `max_seqlen_k` are the longest lengths, or more.
/// - `scale` multiplies the scores: 1/√d, mostly.
/// - `causal` hides the future, bottom-right aligned: the last query of a sequence sees all its keys.
/// - A query with nothing to see gets zeros. A sequence gets the same bits of output and log-sum-exp,
///   whatever else is in the batch; of gradients, about the same numbers.
/// - q, k and v get gradients, in memory that grows with the totals.
///
/// Errors when shapes, types or lengths do not fit, naming the argument and the entry, and when the tensors are not
/// on the CPU.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use varlen::flash_attention_varlen;
///
/// let q = Tensor::randn(0f32, 1., (9, 8, 64), &Device::Cpu)?; // 2 + 3 + 4 tokens of 8 heads
/// let (k, v) = (q.narrow(1, 0, 2)?, q.narrow(1, 2, 2)?); // four query heads share a key-value head
/// let ends = Tensor::new(&[0u32, 2, 5, 9], &Device::Cpu)?;
/// let out = flash_attention_varlen(&q, &k, &v, &ends, &ends, 4, 4, 0.125, true)?;
/// assert_eq!(out.dims(), [9, 8, 64]);
/// # candle_core::Result::Ok(())
/// ```
#[expect(clippy::too_many_arguments, reason = "the arguments of candle-flash-attn")]
pub fn flash_attention_varlen(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    max_seqlen_q: usize,
    max_seqlen_k: usize,
    scale: f32,
    causal: bool,
) -> Result<Tensor> {
    let sequences = sequences([cu_seqlens_q, cu_seqlens_k], [max_seqlen_q, max_seqlen_k])?;
    Ok(ragged::attention(q, k, v, &sequences, &options(scale, causal))?.0)
}

/// As [`flash_attention_varlen`], and each row's log-sum-exp, ln Σ exp(score): `(heads_q, total_q)`, f32, without a
/// gradient. A query with nothing to see has −∞.
#[expect(clippy::too_many_arguments, reason = "as flash_attention_varlen")]
pub fn flash_attention_varlen_with_lse(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    max_seqlen_q: usize,
    max_seqlen_k: usize,
    scale: f32,
    causal: bool,
) -> Result<(Tensor, Tensor)> {
    let sequences = sequences([cu_seqlens_q, cu_seqlens_k], [max_seqlen_q, max_seqlen_k])?;
    ragged::attention(q, k, v, &sequences, &options(scale, causal))
}

/// As [`flash_attention_varlen`], with a window of keys left and right of each query: as candle-flash-attn's
/// `flash_attn_varlen_windowed`.
///
/// `None` is no limit, and so is more than all keys; `(None, Some(0))` is causal. Bottom-right aligned: query i of a sequence
/// stands at its key `i + seq_k − seq_q`.
#[expect(clippy::too_many_arguments, reason = "the arguments of candle-flash-attn")]
pub fn flash_attention_varlen_windowed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    max_seqlen_q: usize,
    max_seqlen_k: usize,
    scale: f32,
    window_left: Option<usize>,
    window_right: Option<usize>,
) -> Result<Tensor> {
    let sequences = sequences([cu_seqlens_q, cu_seqlens_k], [max_seqlen_q, max_seqlen_k])?;
    let options = options(scale, false).window(window_left, window_right);
    Ok(ragged::attention(q, k, v, &sequences, &options)?.0)
}

/// As [`flash_attention_varlen_windowed`], with the scores capped to ±`softcap`, `c · tanh(score / c)`: as
/// candle-flash-attn's `flash_attn_varlen_alibi_windowed_softcap` without slopes.
///
/// A softcap of 0 is none, as there. Errors also when it is below 0 or not finite.
#[expect(clippy::too_many_arguments, reason = "the arguments of candle-flash-attn")]
pub fn flash_attention_varlen_windowed_softcap(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    max_seqlen_q: usize,
    max_seqlen_k: usize,
    scale: f32,
    window_left: Option<usize>,
    window_right: Option<usize>,
    softcap: f32,
) -> Result<Tensor> {
    let sequences = sequences([cu_seqlens_q, cu_seqlens_k], [max_seqlen_q, max_seqlen_k])?;
    let mut options = options(scale, false).window(window_left, window_right);
    if softcap != 0. {
        options = options.softcap(softcap.into());
    }
    Ok(ragged::attention(q, k, v, &sequences, &options)?.0)
}

fn options(scale: f32, causal: bool) -> SdpaOptions {
    let options = SdpaOptions::default().scale(scale.into());
    if causal { options.causal(Causal::BottomRight) } else { options }
}

/// The sequences, or which of them is longer than was said.
fn sequences([cu_q, cu_k]: [&Tensor; 2], [max_q, max_k]: [usize; 2]) -> Result<Ragged> {
    let sequences = Ragged::new(cu_q, cu_k)?;
    let (longest_q, longest_k) = sequences.longest();
    for (at, (len_q, len_k)) in sequences.lengths().enumerate() {
        for (name, len, max, longest) in
            [("max_seqlen_q", len_q, max_q, longest_q), ("max_seqlen_k", len_k, max_k, longest_k)]
        {
            if len > max {
                bail!(
                    "{name}: expected at least {longest}, the longest length; got {max}, and sequence {at} has {len}"
                );
            }
        }
    }
    Ok(sequences)
}
