//! What a check answers, and how it reads in a terminal and under a notebook cell.

use super::compare::Breach;
use serde::Serialize;
use std::fmt;

/// Where an exercise, or one law of it, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Still panics with `todo!()`.
    Pending,
    /// All that must hold holds.
    Passed,
    /// The idea works: only edges are still open.
    Works,
    /// The idea does not work.
    Failed,
    /// Could not be run here; the reason is said.
    Skipped,
}

/// The rows of `cargo study verify`. All but the edges are the idea.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Values, by hand and against PyTorch.
    Implementation,
    /// Properties of attention weights.
    Weights,
    /// Who may see whom.
    Masks,
    /// Gradients reach every input and are right.
    Gradients,
    /// Empty, tiny, odd and extreme inputs, other types; with why it matters, one of [`super::why`].
    Edges(&'static str),
    /// What only a card can tell.
    Gpu,
}

impl Group {
    /// The row's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Implementation => "Implementation",
            Self::Weights => "Weights",
            Self::Masks => "Masks",
            Self::Gradients => "Gradients",
            Self::Edges(_) => "Edges",
            Self::Gpu => "Gpu",
        }
    }

    /// Why it matters, for an edge.
    pub fn why(self) -> Option<&'static str> {
        if let Self::Edges(why) = self { Some(why) } else { None }
    }
}

/// How one law came out.
#[derive(Clone, Debug, PartialEq)]
pub struct LawResult {
    /// Its row in `cargo study verify`.
    pub group: Group,
    /// What must hold, in one sentence.
    pub says: &'static str,
    /// How it came out.
    pub state: State,
    /// The counterexample, when it failed; the reason, when it was skipped.
    pub breach: Option<Breach>,
}

impl LawResult {
    /// Whether two answers came out the same here. An error is an error, in whatever words: they are the learner's own.
    pub(super) fn alike(&self, other: &Self) -> bool {
        let breaches = match (&self.breach, &other.breach) {
            (Some(ours), Some(theirs)) => ours.alike(theirs),
            (ours, theirs) => ours == theirs,
        };
        self.says == other.says && self.state == other.state && breaches
    }
}

/// What the zoo knows of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What is wrong, and what to do.
    pub diagnosis: &'static str,
    /// Whether all that this wrong answer breaks is broken here with the same values; else it is only the most alike.
    pub same: bool,
}

/// The answer of a check: every law's result, and the likely cause when the zoo knows it.
#[derive(Clone, PartialEq)]
pub struct Verdict {
    /// The exercise, as `scaling::softmax`.
    pub exercise: &'static str,
    /// In the order in which they were tried; the first failure is the smallest.
    pub laws: Vec<LawResult>,
    /// The diagnosis of the wrong answer that behaves the same.
    pub cause: Option<Cause>,
}

impl Verdict {
    /// Pending before failed before passed before skipped: a stub whose first law already passes is still a stub. Where
    /// no law but an edge fails, the idea works.
    pub fn state(&self) -> State {
        let idea = |law: &LawResult| law.group.why().is_none();
        let state = [State::Pending, State::Failed, State::Passed]
            .into_iter()
            .find(|&state| self.count(state) > 0)
            .unwrap_or(State::Skipped);
        if state == State::Failed && !self.failures().any(idea) { State::Works } else { state }
    }

    /// The laws that failed.
    pub fn failures(&self) -> impl Iterator<Item = &LawResult> {
        self.laws.iter().filter(|law| law.state == State::Failed)
    }

    /// Shows the verdict under a notebook cell; evcxr calls it when a cell ends with a verdict.
    pub fn evcxr_display(&self) {
        println!("EVCXR_BEGIN_CONTENT text/plain\n{self}\nEVCXR_END_CONTENT");
    }
}

/// What must hold, the smallest example that breaks it, the likely cause, what to type next.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.exercise;
        match self.state() {
            State::Pending => {
                return write!(
                    out,
                    "○ {name} is pending: it, or a function that it calls, still has a `todo!()`.\n  hint: cargo study hint {name}"
                );
            }
            state @ (State::Passed | State::Skipped) => {
                match state {
                    State::Passed => {
                        write!(out, "✓ {name} passed: {} laws hold.", self.count(State::Passed))?
                    }
                    _ => write!(out, "– {name} was skipped: nothing could be checked here.")?,
                }
                for law in self.laws.iter().filter(|law| law.state == State::Skipped) {
                    let why = law.breach.as_ref().map_or("", |breach| &breach.got);
                    write!(out, "\n  skipped: {}\n           {why}", law.says)?;
                }
                return Ok(());
            }
            State::Works => {
                let hold = self.count(State::Passed);
                writeln!(out, "✓ {name} works: {hold} laws hold. Edges are still open.\n")?;
            }
            State::Failed => writeln!(out, "✗ {name} failed.\n")?,
        }
        let Some(first) = self.failures().next() else {
            return Ok(());
        };
        writeln!(out, "What must hold: {}\n", first.says)?;
        if let Some(breach) = &first.breach {
            writeln!(out, "{breach}")?;
        }
        if let Some(why) = first.group.why() {
            writeln!(out, "Why it matters: {why}\n")?;
        }
        if let Some(cause) = self.cause {
            let how = if cause.same { "Likely cause" } else { "Perhaps" };
            writeln!(out, "{how}: {}\n", cause.diagnosis)?;
        }
        let mut others = self.failures().skip(1).peekable();
        if others.peek().is_some() {
            writeln!(out, "It also breaks:")?;
            others.try_for_each(|law| writeln!(out, "  - {}", law.says))?;
            writeln!(out)?;
        }
        write!(out, "Next: cargo study hint {name}\n      cargo study check {name}")
    }
}

/// As displayed: evcxr and `assert_eq!` show values through `Debug`.
impl fmt::Debug for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Verdict {
    fn count(&self, state: State) -> usize {
        self.laws.iter().filter(|law| law.state == state).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_law_is_no_failure_and_says_why() {
        let law = |says, state, breach| LawResult { group: Group::Gpu, says, state, breach };
        let laws = vec![
            law("it computes", State::Passed, None),
            law("nothing is copied", State::Passed, None),
            law("it computes there", State::Skipped, Some(Breach::skipped("it needs a card"))),
        ];
        let verdict = Verdict { exercise: "gpu::flash_layout", laws, cause: None };
        assert_eq!(verdict.state(), State::Passed);
        let said = "✓ gpu::flash_layout passed: 2 laws hold.\n  skipped: it computes there\n           it needs a card";
        assert_eq!(verdict.to_string(), said);
    }
}
