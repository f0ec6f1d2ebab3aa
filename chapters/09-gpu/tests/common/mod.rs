//! What must hold of candle-flash-attn behind our interface: run on a card by `card`, on a stand-in by `library`.

mod accuracy;
pub mod cases;
pub mod inputs;
pub mod judge;
mod refusals;
mod sameness;
mod variants;

pub use cases::{Case, cases};

use candle_core::Device;
use gpu::{Cuda, Picked};

/// What the cases judge, and where it computes.
pub struct Twin {
    pub device: Device,
    pub cuda: Cuda,
    pub picked: Picked,
}
