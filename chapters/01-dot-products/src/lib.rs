//! Week 1: the dot product as similarity, scores for all pairs, and the soft lookup.

pub mod matmul;
pub mod solution;
