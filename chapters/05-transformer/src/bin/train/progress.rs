//! How far the training is: a bar on a terminal, a line for each tenth elsewhere.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use transformer::training::History;

/// Shows on standard error how a training goes.
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    steps: usize,
}

impl Progress {
    /// A training of `steps` steps, of which `done` are done.
    pub fn start(steps: usize, done: usize) -> Self {
        let plain = !stderr().is_terminal();
        let bar =
            if plain { ProgressBar::hidden() } else { ProgressBar::new(steps as u64) };
        let style =
            ProgressStyle::with_template("{bar:16} {pos}/{len} {wide_msg} {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(done as u64);
        bar.reset_eta();
        Self { bar, plain, steps }
    }

    /// Shows the last step of `history`.
    pub fn show(&self, history: &History) {
        let step = history.losses.len();
        let (Some(loss), Some(accuracy)) =
            (history.losses.last(), history.accuracies.last())
        else {
            return;
        };
        let speed = HumanCount((history.tokens as f64 / history.seconds) as u64);
        let message = format!(
            "loss {loss:.4}, accuracy {:.1} %, {speed} tokens/s",
            accuracy * 100.
        );
        if self.plain && step * 10 / self.steps > (step - 1) * 10 / self.steps {
            eprintln!("step {step} of {}: {message}", self.steps);
        }
        self.bar.set_message(message);
        self.bar.set_position(step as u64);
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
