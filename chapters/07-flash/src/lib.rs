//! Week 7: FlashAttention on the CPU.
//!
//! - [`flash_attention`], [`flash_attention_with_lse`]: attention in tiles, never a matrix of all scores;
//! - [`sdpa`]: attention for any size and device, by what is fastest there;
//! - [`SdpaOptions`]: masks, causal, window, scale, softcap;
//! - [`ragged`]: the same for sequences of different lengths, packed one after the other;
//! - [`naive`]: the same in candle operations, to compare with;
//! - [`Path`]: which instructions the kernel uses, and how to force one.

mod attention;
mod kernel;
pub mod naive;
mod op;
mod options;
pub mod ragged;
mod shapes;

pub use attention::{flash_attention, flash_attention_on, flash_attention_with_lse, sdpa};
pub use kernel::Path;
pub use options::{Causal, Mask, SdpaOptions};
