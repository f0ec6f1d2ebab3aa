//! The sizes of an attention, and what must hold of its inputs.

use crate::lengths::Ragged;
use crate::options::SdpaOptions;
use candle_core::{DType, Result, Tensor, bail};

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) heads_q: usize,
    pub(crate) heads_kv: usize,
    /// The longest, where sequences are packed.
    pub(crate) seq_q: usize,
    /// The longest, where sequences are packed.
    pub(crate) seq_k: usize,
    /// Of a query and a key.
    pub(crate) dim: usize,
    /// Of a value.
    pub(crate) dim_v: usize,
}

impl Sizes {
    /// The sizes, or what does not fit together.
    pub(crate) fn of(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions) -> Result<Self> {
        let [qd, kd, vd] = [dims("q", q)?, dims("k", k)?, dims("v", v)?];
        let [batch, heads_q, seq_q, dim] = qd;
        let [_, heads_kv, seq_k, _] = kd;
        if kd[0] != batch || kd[3] != dim {
            bail!(
                "k: expected (batch, heads_kv, seq_k, d) with batch {batch} and d {dim}, as q {qd:?} has them; got {kd:?}"
            );
        }
        if vd[..3] != kd[..3] {
            bail!(
                "v: expected (batch, heads_kv, seq_k, d_v) with the first three as k {kd:?} has them; got {vd:?}"
            );
        }
        fit_together([q, k, v], (heads_q, heads_kv))?;
        options.fit([batch, heads_q, seq_q, seq_k])?;
        let mask = options.mask.as_ref().map(|mask| mask.tensor());
        if let Some(mask) = mask.filter(|mask| !mask.device().same_device(q.device())) {
            let (expected, got) = (q.device().location(), mask.device().location());
            bail!(
                "mask: expected a tensor on {expected:?}, as q; got one on {got:?}. Use `to_device`"
            );
        }
        Ok(Self { batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v: vd[3] })
    }

    /// The sizes of a packed batch, or what does not fit together.
    pub(crate) fn packed(
        [q, k, v]: [&Tensor; 3],
        ragged: &Ragged,
        options: &SdpaOptions,
    ) -> Result<Self> {
        let [qd, kd, vd] = [packed_dims("q", q)?, packed_dims("k", k)?, packed_dims("v", v)?];
        let ([total_q, heads_q, dim], [total_k, heads_kv, _]) = (qd, kd);
        if kd[2] != dim {
            bail!(
                "k: expected (total_k, heads_kv, d) with d {dim}, as q {qd:?} has it; got {kd:?}"
            );
        }
        if vd[..2] != kd[..2] {
            bail!(
                "v: expected (total_k, heads_kv, d_v) with the first two as k {kd:?} has them; got {vd:?}"
            );
        }
        fit_together([q, k, v], (heads_q, heads_kv))?;
        ragged.fit((total_q, total_k))?;
        if options.mask.is_some() {
            bail!(
                "mask: expected none, for the sequences of a packed batch share no shape that it could have; got one. Use causal, window or softcap, or `flash::flash_attention` on one sequence at a time"
            );
        }
        let (batch, (seq_q, seq_k)) = (ragged.batch(), ragged.longest());
        options.fit([batch, heads_q, seq_q, seq_k])?;
        Ok(Self { batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v: vd[2] })
    }

    pub(crate) fn scores(&self) -> [usize; 4] {
        [self.batch, self.heads_q, self.seq_q, self.seq_k]
    }

    /// The shape of the output.
    pub(crate) fn out(&self) -> [usize; 4] {
        [self.batch, self.heads_q, self.seq_q, self.dim_v]
    }

    /// The number of query heads that share a key-value head.
    pub(crate) fn group(&self) -> usize {
        self.heads_q / self.heads_kv.max(1)
    }

    /// What the scores are multiplied by.
    pub(crate) fn scale(&self, options: &SdpaOptions) -> f64 {
        options.scale.unwrap_or_else(|| 1. / (self.dim.max(1) as f64).sqrt())
    }
}

fn dims(name: &str, x: &Tensor) -> Result<[usize; 4]> {
    let Ok(dims) = x.dims().try_into() else {
        bail!(
            "{name}: expected 4 dimensions, (batch, heads, seq, d); got {:?}. Use `unsqueeze(0)` for a missing batch",
            x.dims()
        )
    };
    Ok(dims)
}

fn packed_dims(name: &str, x: &Tensor) -> Result<[usize; 3]> {
    let Ok(dims) = x.dims().try_into() else {
        bail!(
            "{name}: expected 3 dimensions, (total, heads, d), with the sequences one after the other; got {:?}. `flash::flash_attention` takes a batch of 4 dimensions",
            x.dims()
        )
    };
    Ok(dims)
}

/// Heads, types and devices, dense and packed.
fn fit_together([q, k, v]: [&Tensor; 3], (heads_q, heads_kv): (usize, usize)) -> Result<()> {
    if heads_q != 0 && (heads_kv == 0 || !heads_q.is_multiple_of(heads_kv)) {
        bail!(
            "q: expected heads_q to be a multiple of heads_kv, {heads_kv}; got {heads_q}. Each key-value head serves the same number of query heads"
        );
    }
    for (name, x) in [("k", k), ("v", v)] {
        if x.dtype() != q.dtype() {
            let (expected, got) = (q.dtype(), x.dtype());
            bail!("{name}: expected {expected:?}, as q has; got {got:?}. Use `to_dtype`");
        }
        if !x.device().same_device(q.device()) {
            let (expected, got) = (q.device().location(), x.device().location());
            bail!(
                "{name}: expected a tensor on {expected:?}, as q; got one on {got:?}. Use `to_device`"
            );
        }
    }
    if !matches!(q.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16) {
        bail!("q: expected f32, f64, f16 or bf16; got {:?}. Use `to_dtype`", q.dtype());
    }
    Ok(())
}
