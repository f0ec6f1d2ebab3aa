//! The chapter's final code.
//!
//! Second paragraph.

use std::fmt;

/// Given: é, “quotes” and a brace } in docs.
const WIDTH: usize = 4; // { not a block

// ANCHOR: given
/// Stays as it is.
pub fn given(x: f32) -> f32 {
    // ANCHOR: inner
    helper(x)
    // ANCHOR_END: inner
}
// ANCHOR_END: given

fn helper(x: f32) -> f32 {
    x * 2.0
}

// ANCHOR: softmax
/// Rows that sum to one. `{`
#[must_use]
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    // A comment with } braces {{ in it, and "}" too.
    fn nested(x: f32) -> f32 {
        x.exp()
    }
    let text = "} fn fake() {";
    exponentials(scores, nested, text.len())
}

// Attached to the helper, goes with it.
/// Private: part of the answer.
fn exponentials(scores: &[f32], f: fn(f32) -> f32, _: usize) -> Vec<f32> {
    scores.iter().map(|&s| f(s)).collect()
}
// ANCHOR_END: softmax

// ANCHOR: Head
/// A head.
pub struct Head {
    width: usize,
}

impl Head {
    // ANCHOR: new
    /// A head of `width`.
    pub fn new(width: usize) -> Self {
        Self { width }
    }
    // ANCHOR_END: new

    fn scale(&self) -> f32 {
        self.width as f32
    }

    pub fn forward(&self, x: f32) -> f32
    where
        f32: Copy,
    {
        x * self.scale()
    }

    fn last(&self) {}
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.width + WIDTH)
    }
}
// ANCHOR_END: Head
