//! The lowest rung: three candle operations and all the scores in memory.

use super::heads::checked;
use candle_core::{Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

// ANCHOR: naive
/// softmax(Q·Kᵀ/√d)·V, every score in memory at once, several times over.
pub fn naive(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor> {
    let sizes = checked(q, k, v)?;
    if q.elem_count() == 0 || k.elem_count() == 0 || v.elem_count() == 0 {
        return Tensor::zeros(&sizes.out(), q.dtype(), q.device());
    }
    let (k, v) = (repeat(k, sizes.group())?, repeat(v, sizes.group())?);
    let scale = 1. / (sizes.dim as f64).sqrt();
    // (batch, heads_q, seq_q, seq_k)
    let mut scores = (q.contiguous()?.matmul(&k.t()?)? * scale)?;
    if causal {
        let mask = future(sizes.seq_q, sizes.seq_k)?.to_device(q.device())?;
        scores = scores.broadcast_add(&mask)?;
    }
    softmax_last_dim(&scores)?.matmul(&v)
}
// ANCHOR_END: naive

/// A key-value head for each query head: each `times` times.
fn repeat(x: &Tensor, times: usize) -> Result<Tensor> {
    let (batch, heads, seq, dim) = x.dims4()?;
    let x = x.unsqueeze(2)?.expand((batch, heads, times, seq, dim))?;
    x.reshape((batch, heads * times, seq, dim))
}

/// −∞ for the keys that a query may not see, 0 for the others: `(seq_q, seq_k)`.
fn future(seq_q: usize, seq_k: usize) -> Result<Tensor> {
    let mut mask = vec![0.; seq_q * seq_k];
    for (query, row) in mask.chunks_exact_mut(seq_k).enumerate() {
        row[(query + 1).min(seq_k)..].fill(f32::NEG_INFINITY);
    }
    Tensor::from_vec(mask, (seq_q, seq_k), &Device::Cpu)
}
