//! Attention by whatever fits: flash where it can, naive where it can't, the CPU's kernels without a card.

use crate::{Attend, Cpu, Cuda, Kernel, Naive, solution::pick_kernel};
use candle_core::{Device, Result, Tensor, bail};
use device::{AMPERE, look};

/// Picks a kernel for each call by [`pick_kernel`]. It never rounds numbers to make
/// them fit: f32 on a card goes to the naive one.
#[derive(Clone, Debug)]
pub struct Picked {
    card: Option<((usize, usize), Cuda)>,
}

impl Picked {
    /// What computes the attention of these.
    pub fn kernel(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Kernel> {
        let card = self.card.as_ref().filter(|(_, cuda)| cuda.holds(q));
        let capability = card.map(|(capability, _)| *capability);
        let head_dim = q.dims().last().copied().unwrap_or(0);
        let needs_gradient = [q, k, v].iter().any(|x| x.track_op());
        Ok(match pick_kernel(capability, q.dtype(), head_dim, needs_gradient) {
            Kernel::Cpu if !q.device().is_cpu() => Kernel::Naive,
            kernel => kernel,
        })
    }

    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<&dyn Attend> {
        Ok(match (self.kernel(q, k, v)?, &self.card) {
            (Kernel::Flash, Some((_, cuda))) => cuda,
            (Kernel::Cpu, _) => &Cpu,
            _ => &Naive,
        })
    }
}

impl Picked {
    /// For tensors on this device. Errors when it is a card that does not answer.
    pub fn on(device: &Device) -> Result<Self> {
        if !device.is_cuda() {
            return Ok(Self { card: None });
        }
        match look().cuda {
            Ok(card) if card.capability >= AMPERE => {
                Ok(Self::with(card.capability, Cuda::new(device)?))
            }
            Ok(_) => Ok(Self { card: None }), // candle's operations run on it
            Err(why) => bail!("{why}"),
        }
    }

    /// For tensors where `cuda` is, as if that were a card of this capability.
    pub fn with(capability: (usize, usize), cuda: Cuda) -> Self {
        Self { card: Some((capability, cuda)) }
    }
}

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
