//! How a training went.

/// How a training went so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The mean loss of each step's batch, before the step.
    pub losses: Vec<f32>,
    /// The share of each batch's target tokens that the model ranked first, in [0, 1].
    pub accuracies: Vec<f32>,
    /// Target tokens seen, END included, padding not.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
}
