//! Week 8: what packing and the six variants must hold.

use crate::Proof;

/// The wrong answers of week 8, judged.
pub(crate) fn zoo() -> Vec<Proof> {
    vec![]
}
