//! The answers.

// ANCHOR: double
/// Twice `x`.
pub fn double(x: u32) -> u32 {
    x * 2
}
// ANCHOR_END: double

// ANCHOR: triple
/// Three times `x`.
pub fn triple(x: u32) -> u32 {
    x * 3
}
// ANCHOR_END: triple
