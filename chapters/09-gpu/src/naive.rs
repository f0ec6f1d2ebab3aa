//! Attention in candle's operations, on any device: what stands in where no kernel fits, and what kernels are measured by.

use crate::{attend::Attend, solution::check_seqlens};
use candle_core::{DType, Result, Tensor, bail};
use masking::{
    conventions::Align,
    solution::{causal_mask, masked_softmax},
};
use multi_head::solution::repeat_kv;

/// Attention with all its scores in memory, in the type of its inputs: f16 stays f16. Has gradients.
#[derive(Clone, Copy, Debug)]
pub struct Naive;

impl Attend for Naive {
    fn dense(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        let ((_, heads_q, seq_q, _), (_, heads_kv, seq_k, _)) = (q.dims4()?, k.dims4()?);
        if heads_kv == 0 || !heads_q.is_multiple_of(heads_kv) {
            bail!("k: expected a number of heads that divides q's {heads_q}; got {heads_kv}");
        }
        if q.elem_count() == 0 || seq_k == 0 {
            return q.zeros_like();
        }
        let [k, v] = [repeat_kv(k, heads_q / heads_kv)?, repeat_kv(v, heads_q / heads_kv)?];
        let scores = (q.contiguous()?.matmul(&k.t()?.contiguous()?)? * f64::from(scale))?;
        let mask = causal.then(|| causal_mask(seq_q, seq_k, Align::BottomRight, q.device()));
        // The exponentials need f32: those of f16 overflow at 11.
        let wide = if scores.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let weights = masked_softmax(&scores.to_dtype(wide)?, mask.transpose()?.as_ref())?;
        weights.to_dtype(q.dtype())?.matmul(&v.contiguous()?)
    }

    fn varlen(
        &self,
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
        let ends_q = ends(cu_seqlens_q, q.dim(0)?, max_seqlen_q)?;
        let ends_k = ends(cu_seqlens_k, k.dim(0)?, max_seqlen_k)?;
        if ends_q.len() != ends_k.len() {
            bail!(
                "cu_seqlens_k: expected {} entries, as cu_seqlens_q has; got {}",
                ends_q.len(),
                ends_k.len()
            );
        }
        let one = |(q_at, k_at): (&[u32], &[u32])| -> Result<Tensor> {
            let heads = |x: &Tensor, at: &[u32]| {
                let (start, length) = (at[0] as usize, (at[1] - at[0]) as usize);
                x.narrow(0, start, length)?.transpose(0, 1)?.unsqueeze(0) // (1, heads, length, head_dim)
            };
            let out =
                self.dense(&heads(q, q_at)?, &heads(k, k_at)?, &heads(v, k_at)?, scale, causal)?;
            out.squeeze(0)?.transpose(0, 1)
        };
        let sequences = ends_q.windows(2).zip(ends_k.windows(2));
        Tensor::cat(&sequences.map(one).collect::<Result<Vec<_>>>()?, 0)
    }
}

/// The entries of cumulative lengths, wherever they are, once they are known to fit.
pub(crate) fn ends(cu_seqlens: &Tensor, total: usize, max_seqlen: usize) -> Result<Vec<u32>> {
    let ends = cu_seqlens.to_vec1::<u32>()?;
    check_seqlens(&ends, total, max_seqlen)?;
    Ok(ends)
}
