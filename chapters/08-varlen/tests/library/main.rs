//! Packed attention, on every path that this processor has, against attention on one sequence at a time; and six variants.

mod agree;
mod batch;
mod errors;
mod gradients;
mod isolation;
mod properties;
mod six_variants;
mod strides;
