//! The CPU twin: the kernels of weeks 7 and 8.

use crate::{attend::Attend, fits};
use candle_core::{Result, Tensor};
use flash::{Causal, SdpaOptions, flash_attention};
use varlen::flash_attention_varlen;

/// Attention on the processor: f32, f64, f16 and bf16, any head dim, with gradients.
#[derive(Clone, Copy, Debug)]
pub struct Cpu;

impl Attend for Cpu {
    fn dense(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        fits::dense([q, k, v], scale)?;
        let plain = SdpaOptions::default().scale(scale.into());
        let options = if causal { plain.causal(Causal::BottomRight) } else { plain };
        flash_attention(q, k, v, &options)
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
        let [cu_q, cu_k] = [cu_seqlens_q, cu_seqlens_k];
        let [max_q, max_k] = [max_seqlen_q, max_seqlen_k];
        fits::varlen([q, k, v], [cu_q, cu_k], [max_q, max_k], scale)?;
        flash_attention_varlen(q, k, v, cu_q, cu_k, max_q, max_k, scale, causal)
    }
}
