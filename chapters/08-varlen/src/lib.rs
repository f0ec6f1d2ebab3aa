//! Week 8: sequences of different lengths in one batch, without padding.
//!
//! - [`attention`]: [`flash_attention_varlen`] and its variants, on packed sequences;
//! - [`lengths`]: a batch of made-up lengths, to measure with.

pub mod attention;
pub mod lengths;

pub use attention::{
    flash_attention_varlen, flash_attention_varlen_windowed,
    flash_attention_varlen_windowed_softcap, flash_attention_varlen_with_lse,
};
