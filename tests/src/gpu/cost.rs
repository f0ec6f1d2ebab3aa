//! What the counts of a roofline must hold.

use crate::{
    Proof, Verdict,
    harness::{Check, Group::Implementation},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `forward_flops`.
pub type ForwardFlops = dyn Fn(usize, usize, usize, usize, usize, bool) -> f64;
/// `least_bytes`.
pub type LeastBytes = dyn Fn(usize, usize, usize, usize, usize, usize, DType) -> f64;
/// `attainable`.
pub type Attainable = dyn Fn(f64, f64, f64, f64) -> f64;

pub(super) fn zoo() -> Vec<Proof> {
    [forward_flops_laws().proofs(), least_bytes_laws().proofs(), attainable_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks the operations of the forward pass.
pub fn forward_flops(
    answer: impl Fn(usize, usize, usize, usize, usize, bool) -> f64 + 'static,
) -> Verdict {
    forward_flops_laws().judge(&answer)
}

fn forward_flops_laws() -> Check<ForwardFlops> {
    Check::new("gpu::forward_flops", wrong::gpu::forward_flops()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks the bytes that must cross the memory bus.
pub fn least_bytes(
    answer: impl Fn(usize, usize, usize, usize, usize, usize, DType) -> f64 + 'static,
) -> Verdict {
    least_bytes_laws().judge(&answer)
}

fn least_bytes_laws() -> Check<LeastBytes> {
    Check::new("gpu::least_bytes", wrong::gpu::least_bytes()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks the roofline.
pub fn attainable(answer: impl Fn(f64, f64, f64, f64) -> f64 + 'static) -> Verdict {
    attainable_laws().judge(&answer)
}

fn attainable_laws() -> Check<Attainable> {
    Check::new("gpu::attainable", wrong::gpu::attainable()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}
