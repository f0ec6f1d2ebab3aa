//! Packed attention, on every path that this processor has, against attention on one sequence at a time.

mod agree;
mod batch;
mod errors;
mod gradients;
mod isolation;
mod properties;
mod strides;
