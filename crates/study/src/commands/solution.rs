//! `cargo study solution`: the course's own answer, once the learner has one.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::names;
use crate::report;
use crate::state::State;
use crate::weeks::state_of;

/// Show the course's solution to an exercise, once yours works
#[derive(Args)]
#[command(after_help = "Example: cargo study solution scaling::softmax --peek")]
pub struct Solution {
    /// The exercise (`scaling::softmax`, or `softmax` if only one chapter has it)
    exercise: String,
    /// Show it even though yours does not work yet
    #[arg(long)]
    peek: bool,
}

impl Solution {
    /// Prints the solution, or says how many hints are left.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let (chapter, exercise) = names::exercise(&context.chapters()?, &self.exercise)?;
        let path = names::path(&chapter, &exercise.name);
        let state = match self.peek {
            true => report::State::Passed,
            false => state_of(context, &chapter, &exercise.name)?,
        };
        if state == report::State::Unknown {
            eprintln!(
                "`{path}` can't be checked now: `cargo study check {}` says why.\nTo see the solution anyway: `cargo study solution {path} --peek`.",
                chapter.package
            );
            return Ok(ExitCode::FAILURE);
        }
        if !state.is_done() {
            let left =
                exercise.hints.len().saturating_sub(State::read(context.home())?.shown(&path));
            let hints = match left {
                0 => "You have seen every hint.".to_owned(),
                1 => format!("One hint is left: `cargo study hint {path}`."),
                _ => format!("{left} hints are left: `cargo study hint {path}`."),
            };
            eprintln!(
                "`{path}` does not work yet. {hints}\nTo see the solution anyway: `cargo study solution {path} --peek`."
            );
            return Ok(ExitCode::FAILURE);
        }
        println!(
            "// {}\n{}",
            context.shown(&chapter.solution_path()),
            exercise.solution.trim_end()
        );
        Ok(ExitCode::SUCCESS)
    }
}
