//! Week 7: FlashAttention on the CPU.
//!
//! What you write, one head and one tile at a time:
//! - [`solution`]: the online softmax, tiles that are merged, and the backward pass, in candle operations;
//! - [`exercise`]: the same with `todo!()`, for you; [`tiles`]: what both are put together from.
//!
//! The library, for all heads at once and as fast as the processor can:
//! - [`flash_attention`], [`flash_attention_with_lse`]: attention in tiles, never a matrix of all scores, in the
//!   backward pass neither;
//! - [`sdpa`]: attention for any size and device, by what is fastest there;
//! - [`SdpaOptions`]: masks, causal, window, scale, softcap;
//! - [`ragged`]: the same for sequences of different lengths, packed one after the other;
//! - [`naive`]: the same in candle operations, to compare with;
//! - [`rungs`]: the ways from there to the kernel, each with one change;
//! - [`Path`]: which instructions the kernel uses, and how to force one; [`plots`]: the figures of the page.

mod attention;
pub mod diagrams;
pub mod exercise;
mod kernel;
mod lengths;
pub mod naive;
mod op;
mod options;
pub mod plots;
pub mod ragged;
pub mod rungs;
mod shapes;
pub mod solution;
pub mod tiles;

pub use attention::{flash_attention, flash_attention_on, flash_attention_with_lse, sdpa};
pub use kernel::Path;
pub use options::{Causal, Mask, SdpaOptions};
