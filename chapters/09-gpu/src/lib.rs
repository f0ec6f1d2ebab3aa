//! Week 9: flash attention on a GPU, beside its CPU twin.
//!
//! - [`solution`]: what the GPU's kernel wants, how its result is judged, what it costs;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`Attend`], the interface of all: [`Cpu`], weeks 7 and 8; [`Naive`], candle's operations on any device; [`Cuda`],
//!   candle-flash-attn; [`Picked`], which takes for each call the one that fits;
//! - [`six`]: week 8's six variants, on a device; [`cards`], [`processor`], [`plots`]: what GPUs and this machine can do, the
//!   page's figures.

pub mod api;
pub mod attend;
pub mod cards;
pub mod cpu;
pub mod cuda;
pub mod diagrams;
pub mod exercise;
mod fits;
pub mod naive;
pub mod picked;
pub mod plots;
pub mod processor;
pub mod six;
pub mod solution;

pub use attend::{Attend, Kernel};
pub use cpu::Cpu;
pub use cuda::Cuda;
pub use device;
pub use naive::Naive;
pub use picked::Picked;
