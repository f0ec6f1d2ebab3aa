//! Week 2: why attention divides its scores by √d_k.
//!
//! - [`solution`]: the stable softmax, its temperature, entropy and gradient, and `scaled_dot_product_attention`;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`experiment`]: what the page measures, variance and saturation against the dimension;
//! - [`plots`]: the figures of those measurements; [`diagrams`]: attention with its scale.

pub mod diagrams;
pub mod exercise;
pub mod experiment;
pub mod plots;
pub mod solution;

pub use solution::scaled_dot_product_attention;
