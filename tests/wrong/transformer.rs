//! Week 5's wrong answers.

mod decode;
mod layers;
mod loss;
mod norm;
mod positions;
mod rope;
mod schedule;
mod stack;
mod step;

pub use decode::greedy_decode;
pub use layers::{decoder_layer, encoder_layer, residual};
pub use loss::label_smoothing;
pub use norm::layer_norm;
pub use positions::{alibi, positional_encoding};
pub use rope::rope;
pub use schedule::learning_rate;
pub use stack::{decode, encode};
pub use step::training_step;
