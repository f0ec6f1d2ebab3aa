//! Which other exercise is at fault when one does not pass.

use std::fmt;

use anyhow::Result;
use workbook::Chapter;

use crate::checks::Report;
use crate::context::Context;
use crate::names;
use crate::report::{Line, State};
use crate::weeks::state_of;

/// Exercises of the learner's that another one calls, and that do not pass.
pub struct Blame {
    /// Whose fault shows.
    caller: String,
    /// What to fix, the first thing first: `max_seqlen`, or `varlen::max_seqlen` of another week.
    pub callees: Vec<String>,
    /// How they stand.
    pub state: State,
}

impl Blame {
    /// Whether nothing is to be learnt from the caller before what it calls works: it does not, and no mistake of the
    /// caller's own is known.
    pub fn hides(&self, caller: &Line) -> bool {
        match self.state {
            State::Works => false,
            State::Failed => !caller.has_likely_cause(),
            _ => true,
        }
    }

    /// What to say below what is told of the caller: that something else may be the reason. Nothing where open edges are
    /// called and the caller's own mistake is known.
    pub fn doubt(&self, caller: &Line) -> Option<String> {
        let callees = self.callees.join("`, `");
        let plural = self.callees.len() > 1;
        let called = format!("`{}` calls your `{callees}`", self.caller);
        match self.state {
            State::Works if caller.has_likely_cause() => None,
            State::Works => {
                Some(format!("{called}, whose edges are still open: they may be the reason."))
            }
            _ if plural => Some(format!("{called}, which fail too; they may be the reason.")),
            _ => Some(format!("{called}, which fails too; it may be the reason.")),
        }
    }
}

/// What to do first.
impl fmt::Display for Blame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = match self.state {
            State::Pending => "which is not written yet: start there",
            State::Broken => "which does not compile: fix that first",
            _ => "which fails: fix that first",
        };
        write!(out, "`{}` calls your `{}`, {advice}.", self.caller, self.callees[0])
    }
}

/// The exercises that `exercise` of `chapter` calls and that may be at fault when it does not pass: those that fail before
/// those that are open, and what is called before what calls it.
pub fn blame(
    context: &Context,
    chapter: &Chapter,
    report: &Report,
    exercise: &str,
) -> Result<Option<Blame>> {
    let chapters = context.chapters()?;
    // Code that a checker could run has been parsed by a compiler; should it not be here, nobody is blamed.
    let Ok(needed) = workbook::needed(&chapters, chapter, exercise) else { return Ok(None) };
    let mut called = Vec::new();
    for (other, name) in needed {
        let own = other.package == chapter.package;
        let state = if own { report.state(&name) } else { state_of(context, &other, &name)? };
        called.push((state, if own { name } else { names::path(&other, &name) }));
    }
    for state in [State::Failed, State::Broken, State::Pending, State::Works] {
        let such = called.iter().filter(|(other, _)| *other == state);
        let callees: Vec<String> = such.map(|(_, callee)| callee.clone()).collect();
        if !callees.is_empty() {
            return Ok(Some(Blame { caller: exercise.to_owned(), callees, state }));
        }
    }
    Ok(None)
}
