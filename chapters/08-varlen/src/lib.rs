//! Week 8: ragged batches, attended to without padding.
//!
//! - [`solution`]: packing and unpacking, and attention six ways;
//! - [`exercise`]: the same with `todo!()`, for you; [`packed`]: what `unpad` returns;
//! - [`batch`], [`six`], [`plots`]: ragged batches to try things on, the six variants timed, the page's figures;
//! - [`flash_attention_varlen`]: the library: week 7's kernel on sequences of different lengths in one call.

mod attention;
pub mod batch;
pub mod exercise;
pub mod packed;
pub mod plots;
pub mod six;
pub mod solution;

pub use attention::flash_attention_varlen;
