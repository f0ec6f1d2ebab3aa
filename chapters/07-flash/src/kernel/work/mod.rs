//! What is to be computed, and by whom.
//!
//! - [`problem`]: an attention to compute, dense or packed;
//! - [`plan`]: the blocks of queries into which it is cut; [`share`]: how threads take one after the other.

pub(crate) mod plan;
pub(crate) mod problem;
pub(crate) mod share;
