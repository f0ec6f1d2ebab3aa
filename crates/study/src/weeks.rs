//! Where each week stands, with as little compiled as can be.

use std::fs;

use anyhow::Result;
use workbook::{Chapter, Exercise};

use crate::checks::{self, Errors, Outcome};
use crate::context::Context;
use crate::interrupt::Interrupted;
use crate::line_ends;
use crate::memory::{Memory, States};
use crate::report::State;

/// Where a week stands.
pub enum Week {
    /// As the checks said, now or when nothing was different.
    Known(States),
    /// Its own code does not compile.
    Broken(States),
    /// The checks ended before they had said everything.
    Crashed(States),
    /// Something that it needs does not compile, or can't be had: what was last said of it, if its file is still the same.
    Blocked {
        /// Why it can't be checked: `cargo fails: error: …`.
        why: String,
        /// The states as they were.
        last: Option<States>,
    },
}

/// Where `chapter` stands. Nothing is compiled where its file is still the stub, or where nothing has changed since the
/// checks last ran.
pub fn week(context: &Context, chapter: &Chapter) -> Result<Week> {
    let recalled = Memory::read(context.home()).recall(context, chapter)?;
    let recalled = match recalled {
        Some(recalled) if recalled.fresh => return Ok(Week::Known(recalled.states)),
        recalled => recalled,
    };
    let all = |state: fn(&Exercise) -> State| -> Result<States> {
        let exercises = chapter.exercises()?;
        Ok(exercises.iter().map(|exercise| (exercise.name.clone(), state(exercise))).collect())
    };
    let mine = fs::read_to_string(chapter.exercise_path()).ok();
    if mine.is_some_and(|mine| chapter.stub_file().is_ok_and(|stub| line_ends::same(&stub, &mine)))
    {
        return Ok(Week::Known(all(State::unwritten)?));
    }
    let outcome = match checks::run(context, chapter, Errors::Hide) {
        Err(error) if error.is::<Interrupted>() => return Err(error),
        // `cargo study check` tells it in full.
        Err(_) => return Ok(Week::Crashed(all(|_| State::Failed)?)),
        Ok(outcome) => outcome,
    };
    match outcome {
        Outcome::Ran(report) => Ok(Week::Known(report.states())),
        Outcome::Unbuilt(fault) if fault.package() == Some(&chapter.package) => {
            Ok(Week::Broken(all(|_| State::Broken)?))
        }
        Outcome::Unbuilt(fault) => {
            let last = recalled.filter(|recalled| recalled.same_file).map(|last| last.states);
            let why = match fault.package() {
                Some(other) => {
                    format!("can't be checked while `{other}`, which it uses, does not compile")
                }
                None => format!("can't be checked: {}", fault.brief()),
            };
            Ok(Week::Blocked { why, last })
        }
    }
}

/// How the learner's `exercise` of `chapter` stands; a name that is no exercise is pending, and so is an optional one that
/// is not written. Unknown where it can't be checked and never was.
pub fn state_of(context: &Context, chapter: &Chapter, exercise: &str) -> Result<State> {
    let states = match week(context, chapter)? {
        Week::Known(states) | Week::Broken(states) | Week::Crashed(states) => states,
        Week::Blocked { last: Some(states), .. } => states,
        Week::Blocked { last: None, .. } => return Ok(State::Unknown),
    };
    let found = states.into_iter().find(|(name, _)| name == exercise);
    let found = found.map(|(_, state)| state).filter(|state| !state.is_open());
    Ok(found.unwrap_or(State::Pending))
}
