//! Week 3: keep-masks and additive masks, causal and padding, and rows with nothing to see.

pub mod solution;
