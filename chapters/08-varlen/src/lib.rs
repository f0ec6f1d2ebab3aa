//! Week 8: ragged batches, attended to without padding.
//!
//! - [`solution`]: packing and unpacking, and attention six ways;
//! - [`exercise`]: the same with `todo!()`, for you; [`packed`]: what `unpad` returns;
//! - [`attention`], the library: [`flash_attention_varlen`] and its variants, week 7's kernel on sequences of different
//!   lengths in one call; [`lengths`]: made-up lengths, to measure it with;
//! - [`batch`], [`six`], [`timing`], [`plots`]: ragged batches to try things on, the six variants compared, ways to batch
//!   timed, the page's figures.

pub mod attention;
pub mod batch;
pub mod diagrams;
pub mod exercise;
pub mod lengths;
pub mod packed;
pub mod plots;
pub mod six;
pub mod solution;
pub mod timing;

pub use attention::{
    flash_attention_varlen, flash_attention_varlen_windowed,
    flash_attention_varlen_windowed_softcap, flash_attention_varlen_with_lse,
};
