//! What the kernel's layouts must hold.

use crate::{
    Proof, Verdict,
    harness::{Check, Group::Implementation},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `flash_layout`.
pub type FlashLayout = dyn Fn(&Tensor) -> Result<Tensor>;
/// `split_qkv`.
pub type SplitQkv = dyn Fn(&Tensor, usize, usize) -> Result<[Tensor; 3]>;
/// `pad_head_dim`.
pub type PadHeadDim = dyn Fn(&Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [flash_layout_laws().proofs(), split_qkv_laws().proofs(), pad_head_dim_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks the kernel's layout: `(batch, heads, seq, head_dim)` → `(batch, seq, heads, head_dim)`.
pub fn flash_layout(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    flash_layout_laws().judge(&answer)
}

fn flash_layout_laws() -> Check<FlashLayout> {
    Check::new("gpu::flash_layout", wrong::gpu::flash_layout()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks queries, keys and values out of one tensor.
pub fn split_qkv(
    answer: impl Fn(&Tensor, usize, usize) -> Result<[Tensor; 3]> + 'static,
) -> Verdict {
    split_qkv_laws().judge(&answer)
}

fn split_qkv_laws() -> Check<SplitQkv> {
    Check::new("gpu::split_qkv", wrong::gpu::split_qkv()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}

/// Checks zeros up to a head dim that is a multiple of 8.
pub fn pad_head_dim(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    pad_head_dim_laws().judge(&answer)
}

fn pad_head_dim_laws() -> Check<PadHeadDim> {
    Check::new("gpu::pad_head_dim", wrong::gpu::pad_head_dim()).law(
        Implementation,
        "to be written",
        |f| {
            let _ = f;
            Ok(())
        },
    )
}
