//! The kernel against attention in f64 by the definition.

mod edges;
mod errors;
mod grid;
mod properties;
mod random;
mod reference;
mod special;
