//! The GPU twin: candle-flash-attn, behind the same functions as the CPU's.

use crate::{
    api::{Api, CANDLE_FLASH_ATTN},
    attend::Attend,
    naive::ends,
    solution::{flash_layout, half_dtype, pad_head_dim},
};
use candle_core::{D, Device, Result, Tensor, bail};

/// Attention by candle-flash-attn: all that it wants otherwise than the CPU's kernels is adapted here.
///
/// - Tensors are on `device`; cumulative lengths may be on the CPU, where it costs nothing to check them.
/// - f16 and bf16 go in as they are. Others are rounded to the type that [`half_dtype`] says, which waits for the GPU;
///   the result is turned back.
/// - `head_dim` up to 512; what is no multiple of 8 is padded.
/// - No gradient: `backward` says so. [`crate::Naive`] has one.
#[derive(Clone, Debug)]
pub struct Cuda {
    device: Device,
    api: Api,
}

impl Cuda {
    /// On this device. Errors when this build has no CUDA, or the device is none.
    pub fn new(device: &Device) -> Result<Self> {
        if !device.is_cuda() {
            bail!("expected a CUDA device; got {:?}. `cpu::Cpu` computes there", device.location());
        }
        Ok(Self::with(device, CANDLE_FLASH_ATTN))
    }

    /// With something else that has candle-flash-attn's functions: the tests' stand-in, on the CPU.
    pub fn with(device: &Device, api: Api) -> Self {
        Self { device: device.clone(), api }
    }

    /// The inputs as the kernel takes them: in half precision, with a head dim that is a multiple of 8.
    fn prepared(&self, inputs: [&Tensor; 3]) -> Result<[Tensor; 3]> {
        for (name, x) in ["q", "k", "v"].into_iter().zip(inputs) {
            if !x.device().same_device(&self.device) {
                let (ours, theirs) = (self.device.location(), x.device().location());
                bail!("{name}: expected on {ours:?}; got {theirs:?}. Move it with `to_device`");
            }
        }
        let dtype = half_dtype(&inputs)?;
        let one = |x: &Tensor| side_by_side(&pad_head_dim(&x.to_dtype(dtype)?)?);
        let [q, k, v] = inputs;
        Ok([one(q)?, one(k)?, one(v)?])
    }

    /// Cumulative lengths on the device, once they are known to fit.
    fn on_device(&self, cu_seqlens: &Tensor, total: usize, max_seqlen: usize) -> Result<Tensor> {
        ends(cu_seqlens, total, max_seqlen)?;
        cu_seqlens.to_device(&self.device)?.contiguous()
    }
}

/// The kernel reads a head's numbers in one go.
fn side_by_side(x: &Tensor) -> Result<Tensor> {
    if x.stride().last() == Some(&1) { Ok(x.clone()) } else { x.contiguous() }
}

/// The result without the padding of its heads, in the type that was given.
fn restored(out: &Tensor, q: &Tensor) -> Result<Tensor> {
    out.narrow(D::Minus1, 0, q.dim(D::Minus1)?)?.to_dtype(q.dtype())
}

impl Attend for Cuda {
    fn dense(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        if q.elem_count() == 0 || k.elem_count() == 0 {
            return q.zeros_like(); // there is nothing to launch
        }
        let [a, b, c] = self.prepared([q, k, v])?;
        let (a, b, c) = (flash_layout(&a)?, flash_layout(&b)?, flash_layout(&c)?);
        restored(&flash_layout(&(self.api.dense)(&a, &b, &c, scale, causal)?)?, q)
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
        let (max_q, max_k) = (max_seqlen_q, max_seqlen_k);
        let cu_q = self.on_device(cu_seqlens_q, q.dim(0)?, max_q)?;
        let cu_k = self.on_device(cu_seqlens_k, k.dim(0)?, max_k)?;
        if q.elem_count() == 0 || k.elem_count() == 0 {
            return q.zeros_like();
        }
        let [a, b, c] = self.prepared([q, k, v])?;
        restored(&(self.api.varlen)(&a, &b, &c, &cu_q, &cu_k, max_q, max_k, scale, causal)?, q)
    }
}
