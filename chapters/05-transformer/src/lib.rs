//! Week 5: positions, norms, layers, and a Transformer that learns to copy.
//!
//! - [`solution`]: the parts that are new this week, from positions to greedy decoding;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`model`]: the encoder and decoder built from them (given);
//! - [`parts`]: which functions a model is made of: the solution's, yours, or fast ones;
//! - [`fused`]: the fast ones;
//! - [`config`]: the sizes of a model; [`order`]: norm before or after a sublayer;
//! - [`init`]: seeded weights to start from;
//! - [`tasks`]: copy, reverse, sort;
//! - [`training`]: steps and held-out sequences; [`adam`] and [`schedule`]: how a step is taken;
//! - [`checkpoint`]: a training on the disk; [`single`]: keeping candle to one thread;
//! - [`device`]: where a model is computed; [`plots`]: the figures; [`reason`]: errors without their backtraces.

pub mod adam;
pub mod checkpoint;
pub mod config;
pub mod diagrams;
pub mod exercise;
pub mod fused;
pub mod init;
pub mod model;
pub mod order;
pub mod parts;
pub mod plots;
pub mod reason;
pub mod schedule;
pub mod single;
pub mod solution;
pub mod tasks;
pub mod training;

pub use config::TransformerConfig;
pub use model::Transformer;
pub use order::NormOrder;
pub use parts::{Attention, Parts};
