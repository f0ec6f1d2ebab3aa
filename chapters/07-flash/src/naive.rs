//! Attention with all its scores in memory, in candle operations: what the kernel is compared with.

use crate::options::{Causal, Mask, SdpaOptions};
use crate::shapes::Sizes;
use candle_core::{D, DType, Device, Result, Tensor};

/// softmax(Q·Kᵀ · scale + mask)·V with the options of [`crate::flash_attention`], on any device, with a gradient.
///
/// q `(batch, heads_q, seq_q, d)`, k `(batch, heads_kv, seq_k, d)`, v `(batch, heads_kv, seq_k, d_v)` →
/// `(batch, heads_q, seq_q, d_v)`. It holds `batch · heads_q · seq_q · seq_k` scores; f16 and bf16 are computed in
/// f32. Errors as [`crate::flash_attention`].
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) -> Result<Tensor> {
    let sizes = Sizes::of(q, k, v, options)?;
    let (dtype, inner) = (q.dtype(), inner_dtype(q));
    let shape = (sizes.batch, sizes.heads_q, sizes.seq_q, sizes.dim_v);
    if sizes.scores().contains(&0) || sizes.dim_v == 0 {
        return Tensor::zeros(shape, dtype, q.device());
    }
    let [k, v] = [repeat(&k.to_dtype(inner)?, &sizes)?, repeat(&v.to_dtype(inner)?, &sizes)?];
    let q = q.to_dtype(inner)?.contiguous()?;
    let mut scores = match sizes.dim {
        0 => Tensor::zeros(&sizes.scores(), inner, q.device())?,
        _ => (q.matmul(&k.t()?.contiguous()?)? * sizes.scale(options))?, // (batch, heads_q, seq_q, seq_k)
    };
    if let Some(cap) = options.softcap {
        scores = ((scores / cap)?.tanh()? * cap)?;
    }
    if let Some(Mask::Bias(bias)) = &options.mask {
        scores = scores.broadcast_add(&bias.to_dtype(inner)?)?;
    }
    if let Some(Mask::Keep(keep)) = &options.mask {
        scores = hide(&scores, keep)?;
    }
    if options.causal.is_some() || options.window.is_some() {
        scores = hide(&scores, &positions(&sizes, options, q.device())?)?;
    }
    softmax(&scores)?.matmul(&v)?.to_dtype(dtype)
}

/// The type in which a tensor's attention is computed.
pub(crate) fn inner_dtype(q: &Tensor) -> DType {
    if q.dtype() == DType::F64 { DType::F64 } else { DType::F32 }
}

/// Each key-value head as often as query heads share it.
fn repeat(x: &Tensor, sizes: &Sizes) -> Result<Tensor> {
    let (batch, heads, seq, dim) = x.dims4()?;
    let x = x.unsqueeze(2)?.expand((batch, heads, sizes.group(), seq, dim))?;
    x.contiguous()?.reshape((batch, heads * sizes.group(), seq, dim))
}

/// `scores`, −∞ where `keep` is 0.
fn hide(scores: &Tensor, keep: &Tensor) -> Result<Tensor> {
    let hidden = Tensor::new(f32::NEG_INFINITY, scores.device())?.to_dtype(scores.dtype())?;
    keep.broadcast_as(scores.shape())?.where_cond(scores, &hidden.broadcast_as(scores.shape())?)
}

/// The keep-mask `(seq_q, seq_k)` of causal and window.
fn positions(sizes: &Sizes, options: &SdpaOptions, device: &Device) -> Result<Tensor> {
    let Sizes { seq_q, seq_k, .. } = *sizes;
    let sees = |query: usize, key: usize| {
        let (from_top, from_bottom) = (key <= query, key + seq_q <= query + seq_k);
        let causal = match options.causal {
            None => true,
            Some(Causal::TopLeft) => from_top,
            Some(Causal::BottomRight) => from_bottom,
        };
        // key ≥ query + seq_k − seq_q − left and key ≤ query + seq_k − seq_q + right
        let (left, right) = options.window.unwrap_or_default();
        let left = left.is_none_or(|left| (key + seq_q).saturating_add(left) >= query + seq_k);
        let right = right.is_none_or(|right| key + seq_q <= (query + seq_k).saturating_add(right));
        causal && left && right
    };
    let keep: Vec<u8> =
        (0..seq_q * seq_k).map(|at| u8::from(sees(at / seq_k, at % seq_k))).collect();
    Tensor::from_vec(keep, (seq_q, seq_k), device)
}

/// A softmax over the keys; a row of −∞, with nothing to see, gets zeros.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let top = scores.max_keepdim(D::Minus1)?.detach();
    let nothing = top.eq(f64::NEG_INFINITY)?;
    let top = nothing.where_cond(&top.zeros_like()?, &top)?;
    let weights = scores.broadcast_sub(&top)?.exp()?;
    let sum = weights.sum_keepdim(D::Minus1)?;
    weights.broadcast_div(&nothing.where_cond(&sum.ones_like()?, &sum)?)
}
