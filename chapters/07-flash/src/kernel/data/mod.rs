//! Numbers in memory.
//!
//! - [`real`]: the types computed in, f32 and f64;
//! - [`rows`]: tensors with their strides; [`buffer`]: memory that starts at a cache line;
//! - [`spans`]: which keys causal and window let a query see.

pub(crate) mod buffer;
pub(crate) mod real;
pub(crate) mod rows;
pub(crate) mod spans;
