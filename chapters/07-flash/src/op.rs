//! The kernel as an operation in candle's graph.

use crate::kernel::{self, Edits, Mask, Path, Problem, Real, Rows4, Spans};
use crate::shapes::Sizes;
use crate::{SdpaOptions, options};
use candle_core::{
    CpuStorage, CustomOp3, DType, Device, Layout, Result, Shape, Storage, Tensor, bail,
};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Each row's log-sum-exp `(batch, heads_q, seq_q)` in the type computed in, once the forward pass has run: what the way
/// back needs.
pub(crate) type Lse = Arc<OnceLock<Tensor>>;

/// Attention of q, k and v, which are f32 or f64 with the numbers of a row next to each other.
pub(crate) struct Flash {
    path: Path,
    sizes: Sizes,
    scale: f64,
    softcap: Option<f64>,
    spans: Spans,
    /// Broadcast to the scores; a bias is of the type of q.
    mask: Option<options::Mask>,
    lse: Lse,
}

impl Flash {
    pub(crate) fn new(
        path: Path,
        sizes: Sizes,
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
        let spans = Spans::new(&sizes, options);
        let (scale, softcap, lse) = (sizes.scale(options), options.softcap, Lse::default());
        Ok((Self { path, sizes, scale, softcap, spans, mask, lse: lse.clone() }, lse))
    }

    fn forward<T: Real>(
        &self,
        [q, k, v]: [(&CpuStorage, &Layout); 3],
    ) -> Result<(CpuStorage, Shape)> {
        let storage = self.mask.as_ref().map(|mask| mask.tensor().storage_and_layout());
        let storage = storage.as_ref().map(|(storage, layout)| (storage.deref(), *layout));
        let mask = match (&self.mask, storage) {
            (Some(options::Mask::Keep(_)), Some((storage, layout))) => {
                Some(Mask::Keep(Rows4::of(cpu(storage)?, layout)?))
            }
            (Some(options::Mask::Bias(_)), Some((storage, layout))) => {
                Some(Mask::Bias(Rows4::of(cpu(storage)?, layout)?))
            }
            _ => None,
        };
        let problem = Problem {
            sizes: self.sizes,
            q: Rows4::<T>::of(q.0, q.1)?,
            k: Rows4::<T>::of(k.0, k.1)?,
            v: Rows4::<T>::of(v.0, v.1)?,
            factor: Edits::<T>::factor(self.scale, self.softcap),
            edits: Edits::new(self.softcap, mask),
            spans: self.spans,
        };
        let (out, lse) = kernel::attend(self.path, &problem);
        let Sizes { batch, heads_q, seq_q, dim_v, .. } = self.sizes;
        let _ = self.lse.set(Tensor::from_vec(lse, (batch, heads_q, seq_q), &Device::Cpu)?);
        Ok((T::to_cpu_storage_owned(out), Shape::from((batch, heads_q, seq_q, dim_v))))
    }
}

fn cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("mask: expected a tensor on the CPU. Use `to_device(&Device::Cpu)`"),
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

    // The way back goes here: it has q, k, v, the result, its gradient, and `self.lse`. Until then candle's own
    // `bwd` errors, so that no gradient is lost in silence.
}
