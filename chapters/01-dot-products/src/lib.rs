//! Week 1: the dot product as similarity, scores for all pairs, and the soft lookup.
//!
//! - [`solution`]: from `dot` to `soft_lookup`, seven functions;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`plots`]: the figures of the page; [`diagrams`]: attention as data flow;
//! - [`words`]: real word vectors to try them on, also in later weeks;
//! - [`matmul`]: the matrix product, strict about leading dimensions (given).

pub mod diagrams;
pub mod exercise;
pub mod matmul;
pub mod plots;
pub mod solution;
pub mod words;

pub use words::WordVectors;
