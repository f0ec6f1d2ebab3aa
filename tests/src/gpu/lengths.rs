//! What cumulative lengths on a GPU must hold.

use crate::{
    Proof, Verdict,
    harness::{Check, Group::Implementation},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `check_seqlens`.
pub type CheckSeqlens = dyn Fn(&[u32], usize, usize) -> Result<()>;
/// `gpu_seqlens`.
pub type GpuSeqlens = dyn Fn(&[usize], &Device) -> Result<(Tensor, usize)>;

pub(super) fn zoo() -> Vec<Proof> {
    [check_seqlens_laws().proofs(), gpu_seqlens_laws().proofs()].into_iter().flatten().collect()
}

/// Checks that bad cumulative lengths are refused.
pub fn check_seqlens(answer: impl Fn(&[u32], usize, usize) -> Result<()> + 'static) -> Verdict {
    check_seqlens_laws().judge(&answer)
}

fn check_seqlens_laws() -> Check<CheckSeqlens> {
    Check::new("gpu::check_seqlens", wrong::gpu::check_seqlens()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks cumulative lengths as the kernel wants them.
pub fn gpu_seqlens(
    answer: impl Fn(&[usize], &Device) -> Result<(Tensor, usize)> + 'static,
) -> Verdict {
    gpu_seqlens_laws().judge(&answer)
}

fn gpu_seqlens_laws() -> Check<GpuSeqlens> {
    Check::new("gpu::gpu_seqlens", wrong::gpu::gpu_seqlens()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}
