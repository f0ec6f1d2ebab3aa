//! The tokens that mean something to the model, and those that sequences are made of.

use std::ops::RangeInclusive;

/// Fills up short sequences.
pub const PADDING: u32 = 0;
/// Stands before every answer.
pub const START: u32 = 1;
/// Stands after every answer.
pub const END: u32 = 2;
/// What the sequences are made of.
pub const SYMBOLS: RangeInclusive<u32> = 3..=10;
/// How many tokens there are, the special ones included.
pub const VOCAB: usize = *SYMBOLS.end() as usize + 1;
