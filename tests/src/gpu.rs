//! Week 9: what a GPU's kernel wants, and what it costs.

mod card;
mod cost;
mod inputs;
mod layout;
mod lengths;

pub use cost::{Attainable, ForwardFlops, LeastBytes, attainable, forward_flops, least_bytes};
pub use inputs::{AsAccurate, HalfDtype, PickKernel, as_accurate, half_dtype, pick_kernel};
pub use layout::{FlashLayout, PadHeadDim, SplitQkv, flash_layout, pad_head_dim, split_qkv};
pub use lengths::{CheckSeqlens, GpuSeqlens, check_seqlens, gpu_seqlens};

use crate::Proof;

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] = &[layout::zoo, lengths::zoo, inputs::zoo, cost::zoo];
