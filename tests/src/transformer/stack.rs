//! How the layers of encoder and decoder must be stacked, and which masks they get.

mod decode;
mod encode;
mod parts;

pub use decode::{Decode, DecoderStep, decode};
pub use encode::{Encode, encode};

use crate::Proof;

pub(super) fn zoo() -> Vec<Proof> {
    [encode::zoo(), decode::zoo()].into_iter().flatten().collect()
}
