//! The fast path: the same functions as the readable one, each a single operation with its own backward pass.
//!
//! A model in plain candle operations spends most of its time around the matrix products: on broadcast additions and
//! the sums that are their gradients, on copies of transposed heads, and on zeros that gradients are added to, for
//! every step of the graph. Here a step is a whole layer. The matrix products are candle's own; the loops between
//! them are plain Rust that the compiler turns into vector instructions (`lanes.rs`).
//!
//! - [`linear`]: x·Wᵀ + b and its ReLU; [`layer_norm`]; [`positional_encoding`];
//! - [`FusedAttention`]: all heads between the projections in one operation.
//!
//! f32 on the CPU only: whatever else comes, and whatever does not fit, goes to the readable path, errors included.

mod attention;
mod heads;
mod lanes;
mod linear;
mod norm;
mod numbers;
mod packed;
mod positions;
mod rows;

pub use attention::FusedAttention;
pub use linear::linear;
pub use norm::layer_norm;
pub use positions::positional_encoding;

use crate::model::parts::Parts;

impl Parts {
    /// The functions of [`Parts::readable`], each in one operation: equal to rounding, and faster in training.
    pub fn fast() -> Self {
        Self {
            attention: |config, vb| Ok(Box::new(FusedAttention::new(config, vb)?)),
            positional_encoding,
            layer_norm,
            linear,
            ..Self::readable()
        }
    }
}
