//! What types, tolerances and the choice of a kernel must hold.

use crate::{
    Proof, Verdict,
    harness::{Check, Group::Implementation},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `half_dtype`.
pub type HalfDtype = dyn Fn(&[&Tensor]) -> Result<DType>;
/// `as_accurate`.
pub type AsAccurate = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<bool>;
/// `pick_kernel`.
pub type PickKernel = dyn Fn(Option<(usize, usize)>, DType, usize, bool) -> &'static str;

pub(super) fn zoo() -> Vec<Proof> {
    [half_dtype_laws().proofs(), as_accurate_laws().proofs(), pick_kernel_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks the choice of a half-precision type.
pub fn half_dtype(answer: impl Fn(&[&Tensor]) -> Result<DType> + 'static) -> Verdict {
    half_dtype_laws().judge(&answer)
}

fn half_dtype_laws() -> Check<HalfDtype> {
    Check::new("gpu::half_dtype", wrong::gpu::half_dtype()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks whether a result is as good as its type allows.
pub fn as_accurate(
    answer: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<bool> + 'static,
) -> Verdict {
    as_accurate_laws().judge(&answer)
}

fn as_accurate_laws() -> Check<AsAccurate> {
    Check::new("gpu::as_accurate", wrong::gpu::as_accurate()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks which attention is taken.
pub fn pick_kernel<K: Into<&'static str>>(
    answer: impl Fn(Option<(usize, usize)>, DType, usize, bool) -> K + 'static,
) -> Verdict {
    pick_kernel_laws().judge(&move |capability: Option<(usize, usize)>,
                                    dtype: DType,
                                    head_dim: usize,
                                    gradient: bool|
          -> &'static str {
        answer(capability, dtype, head_dim, gradient).into()
    })
}

fn pick_kernel_laws() -> Check<PickKernel> {
    Check::new("gpu::pick_kernel", wrong::gpu::pick_kernel()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}
