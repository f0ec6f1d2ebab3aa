//! `cargo study progress`: weeks, ticks, and what is next.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use workbook::{Chapter, Exercise};

use super::check::{exercises, mark};
use crate::context::Context;
use crate::line_ends;
use crate::memory::States;
use crate::names;
use crate::report::State;
use crate::ui::{Stream, bad, heading, open};
use crate::weeks::{Week, week};

/// Show every exercise of every week, and what is next
#[derive(Args)]
#[command(
    after_help = "Example: cargo study progress\n\n✓ the idea works · ✓✓ the edges hold too · ○ not written yet · ✗ does not work yet · ! does not compile · ? can't be checked now.\nOnly weeks that have changed since they were last checked are checked again."
)]
pub struct Progress {}

impl Progress {
    /// Prints where the learner stands.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let mut all: Vec<State> = Vec::new();
        let mut next = None;
        for chapter in context.chapters()? {
            let (states, note) = match week(context, &chapter)? {
                Week::Known(states) => (states, None),
                Week::Broken(states) => (states, Some(unchecked(&chapter, "does not compile"))),
                Week::Crashed(states) => (states, Some(unchecked(&chapter, "its checks crash"))),
                Week::Blocked { why, last } => blocked(&chapter, &why, last)?,
            };
            println!(
                "{}{}",
                heading(&format!("Week {} · {}", chapter.week, chapter.package)),
                score(&states)
            );
            if let Some(note) = note {
                println!("  {note}");
            }
            // A week that is not started takes one line.
            if !states.iter().all(|(_, state)| state.is_open()) {
                for (name, state) in &states {
                    let optional = if *state == State::Optional { " (optional)" } else { "" };
                    println!("  {} {name}{optional}", mark(*state));
                }
            }
            let open = states.iter().find(|(_, state)| !state.is_done());
            next = next.or(open.map(|(name, _)| (chapter.clone(), name.clone())));
            all.extend(states.iter().map(|(_, state)| *state));
        }
        println!("\n{}", summary(&all));
        match next {
            Some((chapter, name)) => println!(
                "Next: `{1}` (book/{0}.md). Type `cargo study check {1}`.",
                chapter.stem,
                names::path(&chapter, &name)
            ),
            None if all.contains(&State::Optional) => {
                println!("Every exercise in the course works, except optional ones.");
            }
            None => println!("Every exercise in the course works."),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn unchecked(chapter: &Chapter, why: &str) -> String {
    format!("{} {why}: type `cargo study check {}`", bad("!", Stream::Out), chapter.package)
}

/// What is known of a week that can't be checked, and why.
fn blocked(chapter: &Chapter, why: &str, last: Option<States>) -> Result<(States, Option<String>)> {
    let (states, when) = match last {
        Some(states) => (states, "; this is how it stood when last checked"),
        None => {
            let mine = fs::read_to_string(chapter.exercise_path()).unwrap_or_default();
            let mine = line_ends::plain(&mine);
            let state = |exercise: &Exercise| match mine.contains(exercise.stub.trim()) {
                true => State::unwritten(exercise),
                false => State::Unknown,
            };
            let exercises = chapter.exercises()?;
            let states = exercises.iter().map(|exercise| (exercise.name.clone(), state(exercise)));
            (states.collect(), "")
        }
    };
    Ok((states, Some(format!("{} {why}{when}", open("!", Stream::Out)))))
}

/// How far a week is, behind its name.
fn score(states: &States) -> String {
    let states: Vec<State> = states.iter().map(|(_, state)| *state).collect();
    let (works, edges) =
        (count(&states, State::works), count(&states, |state| state == State::Passed));
    match works {
        0 if states.iter().all(|state| state.is_open()) => {
            format!(" · not started, {}", exercises(states.len()))
        }
        0 => String::new(),
        _ => format!(" · {works} of {} work, {edges} with edges", states.len()),
    }
}

/// How many exercises are done, with both steps of the verdict, and how the others stand.
pub fn summary(all: &[State]) -> String {
    let is = |wanted| count(all, |state| state == wanted);
    let mut text = format!(
        "{} of {} exercises work (✓), {} of them with edges (✓✓)",
        count(all, State::works),
        all.len(),
        is(State::Passed)
    );
    for (number, word) in [
        (is(State::Failed), "failing"),
        (is(State::Broken), "not compiling"),
        (is(State::Unknown), "not checked"),
        (is(State::Pending), "pending"),
        (is(State::Optional), "optional"),
    ] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    text + "."
}

fn count(states: &[State], of: impl Fn(State) -> bool) -> usize {
    states.iter().filter(|state| of(**state)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_steps_are_counted() {
        use State::{Broken, Failed, Passed, Pending, Works};
        let states = [Passed, Works, Failed, Pending, Pending, Broken];
        assert_eq!(
            summary(&states),
            "2 of 6 exercises work (✓), 1 of them with edges (✓✓), 1 failing, 1 not compiling, 2 pending."
        );
        let named = |states: &[State]| states.iter().map(|state| (String::new(), *state)).collect();
        assert_eq!(score(&named(&states)), " · 2 of 6 work, 1 with edges");
        assert_eq!(score(&named(&[Pending, Pending])), " · not started, 2 exercises");
        assert_eq!(score(&named(&[Pending, Failed])), "");
    }

    #[test]
    fn a_week_is_done_without_its_optional_exercises() {
        use State::{Optional, Passed, Pending};
        assert!([Optional, Passed].iter().all(|state| state.is_done()));
        assert_eq!(
            summary(&[Optional, Passed]),
            "1 of 2 exercises work (✓), 1 of them with edges (✓✓), 1 optional."
        );
        let named = |states: &[State]| states.iter().map(|state| (String::new(), *state)).collect();
        assert_eq!(score(&named(&[Optional, Passed])), " · 1 of 2 work, 1 with edges");
        assert_eq!(score(&named(&[Optional, Pending])), " · not started, 2 exercises");
    }
}
