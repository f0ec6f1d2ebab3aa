//! The tiny chapter.

// ANCHOR: helper
fn helper(x: f32) -> f32 {
    x + 0.5
}
// ANCHOR_END: helper

// ANCHOR: double
/// Twice `x`.
pub fn double(x: f32) -> f32 {
    x + x
}
// ANCHOR_END: double
