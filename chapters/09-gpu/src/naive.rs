//! Attention in candle's operations, on any device: what stands in where no kernel fits, and what kernels are measured by.

use crate::{attend::Attend, fits};
use candle_core::{DType, Result, Tensor};
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
        fits::dense([q, k, v], scale)?;
        if q.elem_count() == 0 {
            return Ok(q.clone()); // no queries, no results
        }
        if k.elem_count() == 0 {
            return q.zeros_like();
        }
        let ((_, heads_q, seq_q, _), (_, heads_kv, seq_k, _)) = (q.dims4()?, k.dims4()?);
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
        let (cu_seqlens, max_seqlens) =
            ([cu_seqlens_q, cu_seqlens_k], [max_seqlen_q, max_seqlen_k]);
        let [ends_q, ends_k] = fits::varlen([q, k, v], cu_seqlens, max_seqlens, scale)?;
        if q.elem_count() == 0 {
            return Ok(q.clone());
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
        let sequences =
            ends_q.windows(2).zip(ends_k.windows(2)).filter(|(q_at, _)| q_at[0] < q_at[1]);
        Tensor::cat(&sequences.map(one).collect::<Result<Vec<_>>>()?, 0)
    }
}
