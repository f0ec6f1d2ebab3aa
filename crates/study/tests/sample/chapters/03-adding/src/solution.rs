//! The answer.

use counting::solution::double;

// ANCHOR: sum
/// `a` and `b`, twice.
pub fn sum(a: u32, b: u32) -> u32 {
    double(a + b)
}
// ANCHOR_END: sum
