//! `cargo study progress`: weeks, ticks, and what is next.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::check::mark;
use crate::checks::{self, Errors, Outcome};
use crate::context::Context;
use crate::names;
use crate::report::State;
use crate::ui::{Stream, bad, heading};

/// Show every exercise of every week, and what is next
#[derive(Args)]
#[command(after_help = "Example: cargo study progress")]
pub struct Progress {}

impl Progress {
    /// Runs all checks and prints where the learner stands.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let (mut total, mut done, mut pending, mut failed) = (0, 0, 0, 0);
        let mut next = None;
        for chapter in context.chapters()? {
            let outcome = checks::run(context, &chapter, Errors::Hide)?;
            println!("{}", heading(&format!("Week {} · {}", chapter.week, chapter.package)));
            let report = match outcome {
                Outcome::Ran(report) => report,
                Outcome::Broken(_) => {
                    let exercises = chapter.exercises()?;
                    total += exercises.len();
                    failed += exercises.len();
                    println!(
                        "  {} does not compile: type `cargo study check {}`",
                        bad("✗", Stream::Out),
                        chapter.package
                    );
                    next = next.or(exercises
                        .first()
                        .map(|exercise| (chapter.clone(), exercise.name.clone())));
                    continue;
                }
            };
            for name in report.exercises() {
                let state = report.state(name);
                println!("  {} {name}", mark(state));
                total += 1;
                match state {
                    State::Passed | State::Works | State::Skipped => done += 1,
                    State::Pending => pending += 1,
                    State::Failed => failed += 1,
                }
                if matches!(state, State::Pending | State::Failed) && next.is_none() {
                    next = Some((chapter.clone(), name.clone()));
                }
            }
        }
        let failing = if failed == 0 { String::new() } else { format!(", {failed} failing") };
        println!("\n{done} of {total} exercises done, {pending} pending{failing}.");
        match next {
            Some((chapter, name)) => println!(
                "Next: book/{}.md, exercise `{1}`: type `cargo study check {1}`.",
                chapter.stem,
                names::path(&chapter, &name)
            ),
            None => println!("Every exercise of the course passes."),
        }
        Ok(ExitCode::SUCCESS)
    }
}
