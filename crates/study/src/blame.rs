//! Which other exercise is at fault when one does not pass.

use std::fmt;

use anyhow::Result;
use workbook::Chapter;

use crate::checks::Report;
use crate::context::Context;
use crate::names;
use crate::report::State;
use crate::weeks::state_of;

/// An exercise of the learner's that another one calls, and that does not pass.
pub struct Blame {
    /// Whose fault shows.
    caller: String,
    /// What to fix: `max_seqlen`, or `varlen::max_seqlen` of another week.
    pub callee: String,
    /// How the callee stands.
    pub state: State,
}

impl Blame {
    /// Whether what is called does not work: nothing is to be learnt from the caller before.
    pub fn is_at_fault(&self) -> bool {
        self.state != State::Works
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
        match self.state {
            State::Pending => "which is not written yet: start there",
            State::Works => "whose edges are still open: they may be the reason",
            State::Broken => "which does not compile: fix that first",
            _ => "which fails: fix that first",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` calls your `{}`, {}.", self.caller, self.callee, self.advice())
    }
}

/// The exercise that `exercise` of `chapter` calls and that is at fault when it does not pass: one that fails before one
/// that is open, and what is called before what calls it.
pub fn blame(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    exercise: &str,
) -> Result<Option<Blame>> {
    let chapters = context.chapters()?;
    // Code that a checker could run has been parsed by a compiler; should it not be here, nobody is blamed.
    let Ok(needed) = workbook::needed(&chapters, chapter, exercise) else { return Ok(None) };
    let mut blamed: Vec<Blame> = Vec::new();
    for (other, name) in needed {
        let own = other.package == chapter.package;
        let state = if own { report.state(&name) } else { state_of(context, &other, &name)? };
        let callee = if own { name } else { names::path(&other, &name) };
        blamed.push(Blame { caller: exercise.to_owned(), callee, state });
    }
    let first = |state| blamed.iter().position(|blame: &Blame| blame.state == state);
    let order = [State::Failed, State::Broken, State::Pending, State::Works];
    let at = order.into_iter().find_map(first);
    Ok(at.map(|at| blamed.swap_remove(at)))
}
