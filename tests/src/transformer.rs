//! Week 5: what positions, norms, layers, the loss, the schedule and decoding must hold.

mod alibi;
mod decode;
mod encoding;
mod layers;
mod loss;
mod norm;
mod parts;
mod rope;
mod schedule;
mod stack;
mod step;

pub use alibi::{Alibi, alibi};
pub use decode::{GreedyDecode, greedy_decode};
pub use encoding::{PositionalEncoding, positional_encoding};
pub use layers::{DecoderLayer, EncoderLayer, Residual, decoder_layer, encoder_layer, residual};
pub use loss::{LabelSmoothing, label_smoothing};
pub use norm::{LayerNorm, layer_norm};
pub use parts::{Cross, NormOrder, Step};
pub use rope::{Rope, rope};
pub use schedule::{LearningRate, learning_rate};
pub use stack::{Decode, DecoderStep, Encode, decode, encode};
pub use step::{TrainingStep, Update, training_step};

use crate::Proof;

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] = &[
    encoding::zoo,
    norm::zoo,
    layers::zoo,
    stack::zoo,
    loss::zoo,
    schedule::zoo,
    step::zoo,
    decode::zoo,
    rope::zoo,
    alibi::zoo,
];
