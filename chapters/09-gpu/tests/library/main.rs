//! The library of week 9 where there is no card: the GPU twin in front of a stand-in, and its siblings on the CPU.

#[path = "../common/mod.rs"]
mod common;
mod errors;
mod naive;
mod picked;
mod strict;
mod twin;
mod wrong;
