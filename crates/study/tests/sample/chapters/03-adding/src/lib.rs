//! A chapter that uses another.

pub use counting::solution::double;

pub mod exercise;
pub mod solution;
