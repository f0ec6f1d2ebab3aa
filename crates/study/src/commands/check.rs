//! `cargo study check`: what the checks say about the learner's code.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use workbook::Chapter;

use super::exit;
use crate::checks::{self, Errors, Outcome, Report};
use crate::context::Context;
use crate::names::{self, Target};
use crate::report::{Law, Line, State, Who};
use crate::ui::{Stream, bad, good, heading, open};

/// Check your code: what passes, what is pending, and what is wrong
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study check scaling\n          cargo study check scaling::softmax\n\nWithout a name, it checks chapter after chapter up to the first where something is still to do.\nThe exit code is 1 when an exercise fails or the code does not compile; a pending exercise is no failure."
)]
pub struct Check {
    /// A chapter (`scaling`, `2`) or an exercise (`scaling::softmax`)
    name: Option<String>,
}

impl Check {
    /// Runs the checks and prints what they say.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let chapters = context.chapters()?;
        match self.name.as_deref().map(|name| names::target(&chapters, name)).transpose()? {
            Some(Target::Chapter(chapter)) => {
                Ok(exit(check(context, &chapter, None)? == Standing::Failed))
            }
            Some(Target::Exercise(chapter, exercise)) => {
                Ok(exit(check(context, &chapter, Some(&exercise.name))? == Standing::Failed))
            }
            None => up_to_the_first_open(context, &chapters),
        }
    }
}

fn up_to_the_first_open(context: &Context, chapters: &[Chapter]) -> Result<ExitCode> {
    for chapter in chapters {
        let standing = check(context, chapter, None)?;
        if standing != Standing::Done {
            println!("\nLater chapters were not checked: `cargo study progress` shows them all.");
            return Ok(exit(standing == Standing::Failed));
        }
    }
    println!("\nEvery exercise of the course passes.");
    Ok(ExitCode::SUCCESS)
}

/// Where a chapter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every exercise passes.
    Done,
    /// Something is pending, nothing fails.
    Open,
    /// Something fails or does not compile.
    Failed,
}

/// Checks `chapter`, or the one exercise of it, and prints what is found and what to type next.
pub fn check(context: &Context, chapter: &Chapter, only: Option<&str>) -> Result<Standing> {
    match checks::run(context, chapter, Errors::Show)? {
        Outcome::Broken(package) => {
            eprintln!(
                "\n{} {}",
                bad("✗", Stream::Err),
                checks::broken_advice(context, chapter, package.as_deref())?
            );
            Ok(Standing::Failed)
        }
        Outcome::Ran(report) => Ok(tell(context, chapter, &report, only)),
    }
}

fn tell(context: &Context, chapter: &Chapter, report: &Report, only: Option<&str>) -> Standing {
    println!("{}", heading(&format!("Week {} · {}", chapter.week, chapter.package)));
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let names: Vec<&String> = report.exercises().iter().filter(|name| wanted(name)).collect();
    for name in &names {
        println!("  {} {name}", mark(report.state(name)));
    }
    let lines = report.of(Who::Exercise);
    let failed: Vec<&&Line> =
        lines.iter().filter(|line| line.state == State::Failed && wanted(&line.exercise)).collect();
    if let Some((first, others)) = failed.split_first() {
        println!("\n{}", first.message.trim());
        if !others.is_empty() {
            println!("\nAlso failed; for the reason, type");
            for line in others {
                println!("      cargo study check {}", names::path(chapter, &line.exercise));
            }
        }
        println!("\nYour code is in {}.", context.shown(&chapter.exercise_path()));
        return Standing::Failed;
    }
    if let Some(line) = report
        .of(Who::Solution)
        .iter()
        .find(|line| line.state == State::Failed && wanted(&line.exercise))
    {
        println!(
            "\nThe course's own solution fails here. Please report this:\n\n{}",
            line.message.trim()
        );
        return Standing::Failed;
    }
    if let Some(name) = names.iter().find(|name| report.state(name) == State::Pending) {
        let path = names::path(chapter, name);
        println!(
            "\nNext: write `{name}` in {}, then type `cargo study check {path}`.\n      Stuck? `cargo study hint {path}`",
            context.shown(&chapter.exercise_path())
        );
        return Standing::Open;
    }
    if let Some(note) = skipped(lines.iter().filter(|line| wanted(&line.exercise)).copied()) {
        println!("\n{note}");
    }
    let path =
        names.first().map_or_else(|| chapter.package.clone(), |name| names::path(chapter, name));
    println!("\nNext: compare with `cargo study solution {path}`, or see `cargo study progress`.");
    Standing::Done
}

/// What is told of laws that could not be tried here, and why.
fn skipped<'a>(lines: impl Iterator<Item = &'a Line>) -> Option<String> {
    let laws: Vec<&Law> =
        lines.flat_map(|line| &line.laws).filter(|law| law.state == State::Skipped).collect();
    let why = &laws.first()?.why;
    let named: String = laws.iter().map(|law| format!("\n    - {}", law.says)).collect();
    Some(format!("– Not tried here:{named}\n  {why}"))
}

/// The tick, circle or cross of a state.
pub fn mark(state: State) -> console::StyledObject<&'static str> {
    match state {
        State::Passed | State::Works => good("✓", Stream::Out),
        State::Skipped => open("–", Stream::Out),
        State::Pending => open("○", Stream::Out),
        State::Failed => bad("✗", Stream::Out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_laws_are_told_with_the_reason() {
        let law = |state, why: &str| Law {
            group: "Gpu".to_owned(),
            says: "it computes there".to_owned(),
            state,
            why: why.to_owned(),
        };
        let line = |laws| Line {
            exercise: "flash_layout".to_owned(),
            who: Who::Exercise,
            state: State::Passed,
            message: String::new(),
            laws,
        };
        let passed = line(vec![law(State::Passed, "")]);
        assert_eq!(skipped([&passed].into_iter()), None);
        let lines = [passed, line(vec![law(State::Passed, ""), law(State::Skipped, "no card.")])];
        let told = skipped(lines.iter()).unwrap();
        assert_eq!(told, "– Not tried here:\n    - it computes there\n  no card.");
    }
}
