//! Week 8: ragged batches, attended to without padding.
//!
//! - [`solution`]: packing and unpacking, and attention six ways;
//! - [`exercise`]: the same with `todo!()`, for you; [`packed`]: what `unpad` returns;
//! - [`flash_attention_varlen`]: the library: week 7's kernel on sequences of different lengths in one call.

mod attention;
pub mod exercise;
pub mod packed;
pub mod solution;

pub use attention::flash_attention_varlen;
