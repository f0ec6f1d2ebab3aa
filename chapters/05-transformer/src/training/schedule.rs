//! How fast a model learns at which step.

use crate::solution::learning_rate;
use serde::{Deserialize, Serialize};

/// A learning rate for each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The paper's (section 5.3): [`learning_rate`].
    Paper {
        /// The dimension of a token's vector.
        d_model: usize,
        /// Steps in which the rate rises.
        warmup: usize,
    },
    /// Rises in a straight line to its peak, then falls in one, to 0 just after the last step.
    Linear {
        /// The highest rate, reached at step `warmup`.
        peak: f64,
        /// Steps in which the rate rises.
        warmup: usize,
        /// Steps in all.
        steps: usize,
    },
}

impl Schedule {
    /// The rate at `step`, counted from 1.
    pub fn rate(self, step: usize) -> f64 {
        match self {
            Self::Paper { d_model, warmup } => learning_rate(step, d_model, warmup),
            Self::Linear { peak, warmup, .. } if step < warmup => {
                peak * step as f64 / warmup as f64
            }
            Self::Linear { peak, warmup, steps } => {
                let (left, falling) = (
                    (steps + 1).saturating_sub(step),
                    (steps + 1).saturating_sub(warmup),
                );
                peak * left as f64 / falling.max(1) as f64
            }
        }
    }
}
