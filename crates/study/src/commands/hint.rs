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
    #[arg(allow_hyphen_values = true, value_parser = number)]
    number: Option<i64>,
}

/// Any number: how many hints there are is known once the exercise is.
fn number(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "expected the number of a hint, such as 1")
}

impl Hint {
    /// Prints the hint and remembers that it was shown.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let (chapter, exercise) = names::exercise(&context.chapters()?, &self.exercise)?;
        let path = names::path(&chapter, &exercise.name);
        let count = exercise.hints.len();
        let wanted = self.number.map(|number| usize::try_from(number).unwrap_or(0));
        if wanted.is_some_and(|wanted| !(1..=count).contains(&wanted)) {
            bail!(
                "`{path}` has hints 1 to {count}. Type `cargo study hint {path}` for the next one."
            );
        }
        let mut state = State::read(context.home())?;
        let number = state.next_hint(&path, count, wanted);
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
