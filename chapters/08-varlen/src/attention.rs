//! Attention over packed sequences.

use candle_core::{Result, Tensor};
use flash::{Causal, SdpaOptions, flash_attention};

/// Replaced by the ragged kernel: one sequence after the other.
#[allow(clippy::too_many_arguments)]
pub fn flash_attention_varlen(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    _max_seqlen_q: usize,
    _max_seqlen_k: usize,
    scale: f32,
    causal: bool,
) -> Result<Tensor> {
    let mut options = SdpaOptions::default().scale(scale.into());
    if causal {
        options = options.causal(Causal::BottomRight);
    }
    let (cu_q, cu_k) = (cu_seqlens_q.to_vec1::<u32>()?, cu_seqlens_k.to_vec1::<u32>()?);
    let mut out = vec![];
    for (qs, ks) in cu_q.windows(2).zip(cu_k.windows(2)) {
        let one = |x: &Tensor, ends: &[u32]| {
            x.narrow(0, ends[0] as usize, (ends[1] - ends[0]) as usize)?
                .transpose(0, 1)?
                .unsqueeze(0)
        };
        out.push(
            flash_attention(&one(q, qs)?, &one(k, ks)?, &one(v, ks)?, &options)?
                .squeeze(0)?
                .transpose(0, 1)?,
        );
    }
    match out.is_empty() {
        true => Tensor::zeros((0, q.dim(1)?, v.dim(2)?), q.dtype(), q.device()),
        false => Tensor::cat(&out, 0),
    }
}
