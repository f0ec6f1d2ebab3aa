//! The options of `cargo study train`.

use clap::Args;
use std::path::PathBuf;

/// What to train, and how.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What the model learns to do with a sequence
    #[arg(long, default_value = "copy", value_parser = ["copy", "reverse", "sort"])]
    pub task: String,
    /// Plain candle operations, or fused ones: the same model at a different speed
    #[arg(long, default_value = "readable", value_parser = ["readable", "fast"])]
    pub path: String,
    /// Train with the code that you wrote in weeks 4 and 5
    #[arg(long, conflicts_with = "path")]
    pub mine: bool,
    /// Norms before each sublayer, or after it as in the paper
    #[arg(long, default_value = "pre", value_parser = ["pre", "post"])]
    pub norm: String,
    /// How long the sequences are: `10`, or `1..=20` for a random length each time
    #[arg(long, value_name = "N|N..=N", default_value = "10")]
    pub lengths: String,
    /// Sequences per step
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub batch: usize,
    /// Training steps; if left out, as many as the task is known to need
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Seeds the initial weights, the sequences and dropout
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The peak learning rate
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// Steps over which the learning rate rises to its peak
    #[arg(long, value_name = "N")]
    pub warmup: Option<usize>,
    /// How much label smoothing: a share from 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub smoothing: Option<f64>,
    /// The probability with which dropout drops a number
    #[arg(long, value_name = "P")]
    pub dropout: Option<f64>,
    /// Threads to split each batch across
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where to compute
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda", "metal"])]
    pub device: String,
    /// Continue where the last training with these options was saved
    #[arg(long, conflicts_with = "no_checkpoint")]
    pub resume: bool,
    /// Save here instead of `.study/checkpoints/TASK-NORM-PATH.safetensors`
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Steps from one save to the next
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub save_every: usize,
    /// Save nothing
    #[arg(long, conflicts_with = "checkpoint")]
    pub no_checkpoint: bool,
    /// Write settings and results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
