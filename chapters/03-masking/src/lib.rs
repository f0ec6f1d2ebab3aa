//! Week 3: who may attend to whom, in every convention.
//!
//! - [`solution`]: causal and padding masks, their conversions, a softmax and an attention that obey them, and a test
//!   that finds a leak from the future;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`conventions`]: what the numbers of a mask mean, [`Align`] and [`Convention`], and [`expect`]: errors about them;
//! - [`forgotten`]: what a model learns when its mask was forgotten;
//! - [`plots`]: the page's figures; [`diagrams`]: attention with scale and mask.

pub mod conventions;
pub mod diagrams;
pub mod exercise;
pub mod expect;
pub mod forgotten;
pub mod plots;
pub mod solution;

pub use conventions::{Align, Convention};
