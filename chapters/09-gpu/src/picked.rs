//! Attention by whatever fits: flash where it can, naive where it can't, the CPU's kernels without a card.

use crate::{Attend, Cpu, Cuda, Kernel, Naive, solution::pick_kernel};
use candle_core::{D, Device, Result, Tensor, bail};
use device::look;

// ANCHOR: picked
/// Picks a kernel for each call, as [`pick_kernel`] says. Numbers are never rounded to
/// fit: f32 on a card goes to the naive one.
#[derive(Clone, Debug)]
pub struct Picked {
    capability: Option<(usize, usize)>,
    cuda: Option<Cuda>,
}

impl Picked {
    /// For tensors on this device. Errors when it is a card that does not answer.
    pub fn on(device: &Device) -> Result<Self> {
        if !device.is_cuda() {
            return Ok(Self { capability: None, cuda: None });
        }
        match look().cuda {
            Ok(card) => {
                let cuda = Some(Cuda::new(device)?);
                Ok(Self { capability: Some(card.capability), cuda })
            }
            Err(why) => bail!("{why}"),
        }
    }

    /// What computes the attention of these.
    pub fn kernel(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Kernel> {
        let needs_gradient = [q, k, v].iter().any(|x| x.track_op());
        Ok(pick_kernel(self.capability, q.dtype(), q.dim(D::Minus1)?, needs_gradient))
    }

    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<&dyn Attend> {
        Ok(match (self.kernel(q, k, v)?, &self.cuda) {
            (Kernel::Flash, Some(cuda)) => cuda,
            (Kernel::Cpu, _) if q.device().is_cpu() => &Cpu,
            _ => &Naive, // a GPU without flash kernels
        })
    }
}
// ANCHOR_END: picked

impl Attend for Picked {
    fn dense(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        scale: f32,
        causal: bool,
    ) -> Result<Tensor> {
        self.attend(q, k, v)?.dense(q, k, v, scale, causal)
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
        let (cu_q, cu_k, max_q, max_k) = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k);
        self.attend(q, k, v)?.varlen(q, k, v, cu_q, cu_k, max_q, max_k, scale, causal)
    }
}
