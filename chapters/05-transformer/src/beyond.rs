//! What positions do beyond the trained length.
//!
//! Four small language models that differ in one thing alone, how they are told where a token stands, learn on
//! sequences of [`TRAINED`] tokens and are then tried on longer ones.

mod language;
mod model;
mod recorded;
mod training;

pub use language::{VOCAB, draw, floor};
pub use model::{Positions, Reader};
pub use recorded::{Losses, Recorded, windows};
pub use training::{TRAINED, losses_by_position, train};
