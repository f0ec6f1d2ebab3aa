//! The kernel, on every path that this processor has, against attention in f64 by the definition.

mod edges;
mod errors;
mod grid;
mod properties;
mod random;
mod reference;
mod special;
