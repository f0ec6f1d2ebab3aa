//! The induction lab: a model of attention alone learns to go on with what it has seen before.
//!
//! A sequence is a block of random tokens that repeats. What comes next in the first block cannot be known; in the
//! second it can, by a rule: find where the current token stood before, and say what came after it. That takes two
//! heads, one after the other. In the first layer a **previous-token head** writes into each token which one stood
//! before it. In the second layer an **induction head** asks for the place whose previous token is the current one: it
//! finds the token after the earlier occurrence, and copies it (Olsson and others 2022).
//!
//! One layer can't do it. Its keys say which token stands at a place and where that is, but not which token stood before
//! it: nothing has written that there. All it can learn is how far back the answer may stand: blocks have nine lengths,
//! so it looks at nine places and guesses.
//!
//! - [`data`]: the sequences; [`model`]: the model; [`training`]: how it learns;
//! - [`probe`]: loss by position and scores by head, and what losing a head costs.

pub mod data;
pub mod model;
pub mod probe;
pub mod training;

pub use model::InductionModel;
pub use probe::Snapshot;
pub use training::{Run, train};
