//! What the rungs share: inputs as plain numbers, and blocks of queries for the threads.

use super::options;
use crate::shapes::Sizes;
use candle_core::{CpuStorage, DType, Device, Layout, Result, Storage, Tensor, bail};
use rayon::prelude::*;

/// The matrices of one head.
pub(super) struct Head<'a> {
    /// `(seq_q, d)`
    pub(super) q: &'a [f32],
    /// `(seq_k, d)`
    pub(super) k: &'a [f32],
    /// `(seq_k, d_v)`
    pub(super) v: &'a [f32],
    pub(super) d: usize,
    pub(super) d_v: usize,
    /// 1/√d
    pub(super) scale: f32,
    seq_k: usize,
    causal: bool,
}

impl Head<'_> {
    /// How many keys a query sees: all those before that number.
    #[inline(always)]
    pub(super) fn seen(&self, query: usize) -> usize {
        if self.causal { (query + 1).min(self.seq_k) } else { self.seq_k }
    }
}

/// The sizes, or what does not fit together.
pub(super) fn checked(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Sizes> {
    let sizes = Sizes::of(q, k, v, &options(false))?;
    if q.dtype() != DType::F32 {
        bail!(
            "q: expected f32; got {:?}. The rungs below the kernel know no other type",
            q.dtype()
        );
    }
    if sizes.dim == 0 {
        bail!("q: expected (batch, heads_q, seq_q, d) with d above 0; got {:?}", q.dims());
    }
    Ok(sizes)
}

/// Attention in blocks of up to `rows` queries, on the threads of the pool: `prepare` gets the keys `(seq_k, d)` of each
/// key-value head once, `attend` each block: its head, what `prepare` made, the block's first query, and where its
/// rows `(queries, d_v)` of the output go, zeros until then.
///
/// Nothing is called when there are no numbers: then the output is all zeros.
pub(super) fn in_blocks<P: Send + Sync>(
    [q, k, v]: [&Tensor; 3],
    causal: bool,
    rows: usize,
    prepare: impl Fn(&[f32], usize) -> P + Sync,
    attend: impl Fn(&Head, &P, usize, &mut [f32]) + Sync,
) -> Result<Tensor> {
    let sizes = checked(q, k, v)?;
    let Sizes { heads_q, heads_kv, seq_q, seq_k, dim: d, dim_v: d_v, .. } = sizes;
    let mut out = vec![0.; sizes.out().iter().product()];
    if !out.is_empty() && seq_k > 0 {
        let [q, k, v] = [q.contiguous()?, k.contiguous()?, v.contiguous()?];
        let all = [&q, &k, &v].map(|x| x.storage_and_layout());
        let of = |at: usize| numbers(&all[at].0, all[at].1);
        let [q, k, v] = [of(0)?, of(1)?, of(2)?];
        let prepared: Vec<P> = k.par_chunks_exact(seq_k * d).map(|k| prepare(k, d)).collect();
        out.par_chunks_exact_mut(seq_q * d_v).enumerate().for_each(|(at, out)| {
            let kv = at / heads_q * heads_kv + at % heads_q / sizes.group();
            let head = Head {
                q: &q[at * seq_q * d..][..seq_q * d],
                k: &k[kv * seq_k * d..][..seq_k * d],
                v: &v[kv * seq_k * d_v..][..seq_k * d_v],
                d,
                d_v,
                scale: 1. / (d as f32).sqrt(),
                seq_k,
                causal,
            };
            out.par_chunks_mut(rows * d_v).enumerate().for_each(|(block, out)| {
                attend(&head, &prepared[kv], block * rows, out);
            });
        });
    }
    Tensor::from_vec(out, &sizes.out(), &Device::Cpu)
}

/// The numbers of a contiguous tensor on the CPU.
fn numbers<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(numbers)), Some((from, to))) => Ok(&numbers[from..to]),
        _ => bail!("q, k and v: expected tensors on the CPU. Use `to_device(&Device::Cpu)`"),
    }
}
