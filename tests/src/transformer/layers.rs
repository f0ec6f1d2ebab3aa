//! How a sublayer with its norm and its shortcut, and the layers of encoder and decoder, must be wired.

mod decoder;
mod encoder;
mod parts;
mod residual;

pub use decoder::{DecoderLayer, decoder_layer};
pub use encoder::{EncoderLayer, encoder_layer};
pub use residual::{Residual, residual};

use crate::Proof;

pub(super) fn zoo() -> Vec<Proof> {
    [residual::zoo(), encoder::zoo(), decoder::zoo()].into_iter().flatten().collect()
}
