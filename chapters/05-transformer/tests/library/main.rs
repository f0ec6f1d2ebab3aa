//! The library of week 5: the model, its fast path, what is tried past a trained length, and right answers in other
//! styles.

mod beyond;
mod candidates;
mod fused;
mod model;
mod pytorch;
mod styles;
