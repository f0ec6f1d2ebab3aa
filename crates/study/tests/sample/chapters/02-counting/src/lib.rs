//! A chapter as small as can be.

pub mod exercise;
pub mod solution;
