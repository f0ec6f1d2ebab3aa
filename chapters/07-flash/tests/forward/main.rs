//! The kernel, on every path that this processor has, against attention in f64 by the definition.

mod edges;
mod errors;
mod grid;
#[path = "../common/options.rs"]
mod options;
mod properties;
mod random;
mod reference;
mod special;
