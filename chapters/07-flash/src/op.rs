//! The kernel as an operation in candle's graph.

use crate::kernel::{Backward, Dispatch, Edits, Heads, Hiding, Mask, Path, Problem, Real};
use crate::lengths::Ragged;
use crate::options::{self, SdpaOptions};
use crate::shapes::Sizes;
use candle_core::{
    CpuStorage, CustomOp3, D, DType, Device, Layout, Result, Shape, Storage, Tensor, bail,
};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Each row's log-sum-exp `(batch, heads_q, seq_q)`, packed `(heads_q, total_q)`, in the type computed in, once the forward
/// pass has run: what the way back needs.
pub(crate) type Lse = Arc<OnceLock<Tensor>>;

/// Attention of q, k and v, which are f32 or f64 with the numbers of a row next to each other.
pub(crate) struct Flash {
    path: Path,
    sizes: Sizes,
    scale: f64,
    softcap: Option<f64>,
    hiding: Hiding,
    /// Of a packed batch, in which q, k and v are `(total, heads, d)`.
    ragged: Option<Ragged>,
    /// Broadcast to the scores; a bias is of the type of q.
    mask: Option<options::Mask>,
    lse: Lse,
}

impl Flash {
    pub(crate) fn new(
        path: Path,
        (sizes, ragged): (Sizes, Option<&Ragged>),
        options: &SdpaOptions,
        dtype: DType,
    ) -> Result<(Self, Lse)> {
        let view = |mask: Tensor| mask.contiguous()?.broadcast_as(&sizes.scores());
        let mask = match &options.mask {
            None => None,
            Some(options::Mask::Keep(keep)) => Some(options::Mask::Keep(view(keep.clone())?)),
            Some(options::Mask::Bias(bias)) => {
                Some(options::Mask::Bias(view(bias.to_dtype(dtype)?)?))
            }
        };
        let (hiding, ragged, lse) = (Hiding::of(options), ragged.cloned(), Lse::default());
        let (scale, softcap) = (sizes.scale(options), options.softcap);
        let kept = lse.clone();
        Ok((Self { path, sizes, scale, softcap, hiding, ragged, mask, lse: kept }, lse))
    }

    /// Does `work` with the attention of these inputs.
    fn with<T: Real, R>(
        &self,
        [q, k, v]: [(&CpuStorage, &Layout); 3],
        work: impl FnOnce(&Problem<T>) -> Result<R>,
    ) -> Result<R> {
        let storage = self.mask.as_ref().map(|mask| mask.tensor().storage_and_layout());
        let storage = storage.as_ref().map(|(storage, layout)| (storage.deref(), *layout));
        let mask = match (&self.mask, storage) {
            (Some(options::Mask::Keep(_)), Some((storage, layout))) => {
                Some(Mask::Keep(Heads::dense(cpu(storage)?, layout)?))
            }
            (Some(options::Mask::Bias(_)), Some((storage, layout))) => {
                Some(Mask::Bias(Heads::dense(cpu(storage)?, layout)?))
            }
            _ => None,
        };
        let ragged = self.ragged.as_ref();
        let (starts_q, starts_k) = ragged.map(Ragged::starts).unzip();
        work(&Problem {
            sizes: self.sizes,
            ragged,
            q: heads::<T>(q, starts_q)?,
            k: heads::<T>(k, starts_k)?,
            v: heads::<T>(v, starts_k)?,
            factor: Edits::<T>::factor(self.scale, self.softcap),
            edits: Edits::new(self.softcap, mask),
            hiding: self.hiding,
        })
    }

    fn forward<T: Dispatch>(
        &self,
        inputs: [(&CpuStorage, &Layout); 3],
    ) -> Result<(CpuStorage, Shape)> {
        let (out, lse) = self.with::<T, _>(inputs, |problem| Ok(T::attend(self.path, problem)))?;
        let Sizes { batch, heads_q, seq_q, dim_v, .. } = self.sizes;
        let (shape, lse) = match self.ragged.as_ref().map(Ragged::totals) {
            None => {
                let lse = Tensor::from_vec(lse, (batch, heads_q, seq_q), &Device::Cpu)?;
                (Shape::from((batch, heads_q, seq_q, dim_v)), lse)
            }
            Some((total_q, _)) => {
                let lse = Tensor::from_vec(lse, (total_q, heads_q), &Device::Cpu)?;
                (Shape::from((total_q, heads_q, dim_v)), lse.t()?.contiguous()?)
            }
        };
        let _ = self.lse.set(lse);
        Ok((T::to_cpu_storage_owned(out), shape))
    }

    /// The gradients of q, k and v from that of the result.
    fn backward<T: Dispatch>(
        &self,
        inputs: [&Tensor; 3],
        results: [&Tensor; 2],
    ) -> Result<[Tensor; 3]> {
        let Some(lse) = self.lse.get() else {
            bail!("flash-attention: the forward pass left no log-sum-exp");
        };
        let [q, k, v] = inputs.map(Tensor::storage_and_layout);
        let [out, grad] = results.map(Tensor::storage_and_layout);
        let lse = lse.storage_and_layout();
        let inputs = [(cpu(&q.0)?, q.1), (cpu(&k.0)?, k.1), (cpu(&v.0)?, v.1)];
        let starts_q = self.ragged.as_ref().map(|ragged| ragged.starts().0);
        let gradients = self.with::<T, _>(inputs, |problem| {
            let backward = Backward {
                problem,
                out: heads::<T>((cpu(&out.0)?, out.1), starts_q)?,
                grad: heads::<T>((cpu(&grad.0)?, grad.1), starts_q)?,
                lse: T::cpu_storage_as_slice(cpu(&lse.0)?)?,
                scale: T::from_f64(self.scale),
            };
            Ok(T::gradients(self.path, &backward))
        })?;
        let Sizes { batch, heads_q, heads_kv, seq_q, seq_k, dim, dim_v } = self.sizes;
        let totals = self.ragged.as_ref().map(Ragged::totals);
        let tensor = |numbers, heads, seq, total: Option<usize>, dim| match total {
            None => Tensor::from_vec(numbers, (batch, heads, seq, dim), &Device::Cpu),
            Some(total) => {
                Tensor::from_vec(numbers, (heads, total, dim), &Device::Cpu)?.transpose(0, 1)
            }
        };
        let (total_q, total_k) = totals.unzip();
        Ok([
            tensor(gradients.q, heads_q, seq_q, total_q, dim)?,
            tensor(gradients.k, heads_kv, seq_k, total_k, dim)?,
            tensor(gradients.v, heads_kv, seq_k, total_k, dim_v)?,
        ])
    }
}

/// `x` in this type, copied only when its rows' numbers are not next to each other.
pub(crate) fn rows(x: &Tensor, dtype: DType) -> Result<Tensor> {
    let x = x.to_dtype(dtype)?;
    match x.dim(D::Minus1)? <= 1 || x.stride().last() == Some(&1) {
        true => Ok(x),
        false => x.contiguous(),
    }
}

/// An input's matrices; with `starts` of a packed one.
fn heads<'a, T: Real>(
    (storage, layout): (&'a CpuStorage, &Layout),
    starts: Option<&'a [usize]>,
) -> Result<Heads<'a, T>> {
    match starts {
        Some(starts) => Heads::packed(storage, layout, starts),
        None => Heads::dense(storage, layout),
    }
}

fn cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("flash-attention: expected a tensor on the CPU. Use `to_device(&Device::Cpu)`"),
    }
}

impl CustomOp3 for Flash {
    fn name(&self) -> &'static str {
        "flash-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(q, q_layout), (k, k_layout), (v, v_layout)];
        match q {
            CpuStorage::F64(_) => self.forward::<f64>(inputs),
            _ => self.forward::<f32>(inputs),
        }
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = rows(grad, out.dtype())?;
        let (inputs, results) = ([q, k, v], [out, &grad]);
        let [q, k, v] = match q.dtype() {
            DType::F64 => self.backward::<f64>(inputs, results)?,
            _ => self.backward::<f32>(inputs, results)?,
        };
        Ok((Some(q), Some(k), Some(v)))
    }
}
