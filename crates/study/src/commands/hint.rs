//! `cargo study hint`: one more hint at each call.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::context::Context;
use crate::names;
use crate::state::State;
use crate::ui::heading;

/// Show the next hint for an exercise
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study hint scaling::softmax\n          cargo study hint scaling::softmax 1\n\nEach call shows one more hint. A number shows that hint."
)]
pub struct Hint {
    /// The exercise (`scaling::softmax`, or `softmax` if only one chapter has it)
    exercise: String,
    /// The number of the hint to show
    number: Option<usize>,
}

impl Hint {
    /// Prints the hint and remembers that it was shown.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let (chapter, exercise) = names::exercise(&context.chapters()?, &self.exercise)?;
        let path = names::path(&chapter, &exercise.name);
        let count = exercise.hints.len();
        if let Some(number) = self.number
            && !(1..=count).contains(&number)
        {
            bail!(
                "`{path}` has hints 1 to {count}. Type `cargo study hint {path}` for the next one."
            );
        }
        let mut state = State::read(context.home())?;
        let number = state.next_hint(&path, count, self.number);
        state.write(context.home())?;
        println!("{}\n", heading(&format!("{path} · hint {number} of {count}")));
        println!("{}\n", exercise.hints.get(number - 1).map_or("", |hint| hint.trim()));
        if number < count {
            println!("Next: `cargo study check {path}`. One more hint: `cargo study hint {path}`.");
        } else {
            println!("That was the last hint. The solution: `cargo study solution {path} --peek`.");
        }
        Ok(ExitCode::SUCCESS)
    }
}
