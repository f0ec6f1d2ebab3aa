//! Week 5: positions, norms, layers, and a Transformer that learns to copy.
//!
//! - [`solution`]: what is new this week, from positions to greedy decoding;
//! - [`exercise`]: the same with `todo!()`, for you; [`order`]: the types of the parts that both wire up;
//! - [`model`]: the encoder–decoder, assembled (given);
//! - [`training`]: tasks, steps, Adam, checkpoints;
//! - [`fused`]: the same model in fewer operations, for the engine room;
//! - [`beyond`]: positions past the trained length;
//! - [`tokens`]: the special tokens; [`single`]: keeping candle to one thread;
//! - [`plots`] and [`diagrams`]: the figures; [`reason`]: errors without their backtraces.

pub mod beyond;
pub mod diagrams;
pub mod exercise;
pub mod fused;
pub mod model;
pub mod order;
pub mod plots;
pub mod reason;
pub mod single;
pub mod solution;
pub mod tokens;
pub mod training;

pub use model::{
    Attention, Parts, Transformer, TransformerConfig, config, init, parts,
};
pub use order::NormOrder;
pub use training::{adam, checkpoint, schedule, tasks};
