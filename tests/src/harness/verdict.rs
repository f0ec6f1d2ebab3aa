//! What a check answers, and how it reads in a terminal and under a notebook cell.

use super::compare::Breach;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an exercise, or one law of it, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Still panics with `todo!()` or `unimplemented!()`.
    Pending,
    /// Every law holds, the edges included: ✓✓.
    Passed,
    /// The idea works; only edges are still open: ✓.
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
    /// The counterexample, when it failed; the reason, when it was skipped; the text of a `todo!("…")`.
    pub breach: Option<Breach>,
}

impl LawResult {
    /// Whether this law is an edge, and not the idea.
    pub fn is_edge(&self) -> bool {
        self.group.why().is_some()
    }

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
    /// Of open edges that have another cause: what must hold, and that cause.
    pub edges: Vec<(&'static str, Cause)>,
}

impl Verdict {
    /// Pending before failed before passed before skipped: a stub whose first law already passes is still a stub. Where
    /// no law but an edge fails, the idea works.
    pub fn state(&self) -> State {
        let state = [State::Pending, State::Failed, State::Passed]
            .into_iter()
            .find(|&state| self.count(state) > 0)
            .unwrap_or(State::Skipped);
        match state {
            State::Failed if self.failures().all(LawResult::is_edge) => State::Works,
            _ => state,
        }
    }

    /// The laws that failed: the idea's first, then the edges.
    pub fn failures(&self) -> impl Iterator<Item = &LawResult> {
        failures(&self.laws)
    }

    /// What is still to be written, in the words of the learner's `todo!("…")`.
    pub fn note(&self) -> Option<&str> {
        let pending = self.laws.iter().find(|law| law.state == State::Pending)?;
        pending.breach.as_ref().map(|breach| breach.got.as_str())
    }

    /// The cause of an open edge, where it has one of its own.
    pub fn cause_of(&self, says: &str) -> Option<Cause> {
        self.edges.iter().find(|(edge, _)| *edge == says).map(|(_, cause)| *cause)
    }

    /// Shows the verdict under a notebook cell; evcxr calls it when a cell ends with a verdict.
    pub fn evcxr_display(&self) {
        println!("EVCXR_BEGIN_CONTENT text/plain\n{self}\nEVCXR_END_CONTENT");
    }
}

/// Those of `laws` that failed: the idea's first, then the edges.
pub(super) fn failures(laws: &[LawResult]) -> impl Iterator<Item = &LawResult> {
    let failed =
        |edge| laws.iter().filter(move |law| law.state == State::Failed && law.is_edge() == edge);
    failed(false).chain(failed(true))
}

/// The sentence on the cause, with how sure it is.
impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.same { "Likely cause" } else { "Possible cause" };
        write!(out, "{how}: {}", self.diagnosis)
    }
}

/// What must hold, the smallest example that breaks it, the likely cause, what to type next.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, hold) = (self.exercise, self.count(State::Passed));
        match self.state() {
            State::Pending => {
                match self.note() {
                    Some(note) => writeln!(out, "○ {name} is pending: {note}")?,
                    None => writeln!(
                        out,
                        "○ {name} is pending: it, or a function it calls, is still a `todo!()`."
                    )?,
                }
                write!(out, "  Hint: cargo study hint {name}")
            }
            State::Passed => {
                let edges = match self.laws.iter().any(LawResult::is_edge) {
                    true => ", edges included",
                    false => "",
                };
                write!(out, "✓✓ {name} passed: {}{edges}.", held(hold))?;
                self.write_skipped(out)
            }
            State::Skipped => {
                write!(out, "– {name} was skipped: nothing could be checked here.")?;
                self.write_skipped(out)
            }
            State::Works => {
                let edges = match self.failures().count() {
                    1 => "one edge is".to_owned(),
                    open => format!("{open} edges are"),
                };
                writeln!(out, "✓ {name} works: {}; {edges} still open.\n", held(hold))?;
                self.write_failures(out)
            }
            State::Failed => {
                writeln!(out, "✗ {name} failed.\n")?;
                self.write_failures(out)
            }
        }
    }
}

/// How many further laws are named; of the rest, only the number is told.
const NAMED: usize = 3;

fn held(laws: usize) -> String {
    if laws == 1 { "1 law holds".to_owned() } else { format!("{laws} laws hold") }
}

impl Verdict {
    fn write_skipped(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for law in self.laws.iter().filter(|law| law.state == State::Skipped) {
            let why = law.breach.as_ref().map_or("", |breach| &breach.got);
            write!(out, "\n  skipped: {}\n           {why}", law.says)?;
        }
        Ok(())
    }

    fn write_failures(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.exercise;
        let mut failures = self.failures();
        if let Some(first) = failures.next() {
            writeln!(out, "What must hold: {}\n", first.says)?;
            if let Some(breach) = &first.breach {
                writeln!(out, "{breach}")?;
            }
            if let Some(why) = first.group.why() {
                writeln!(out, "Why it matters: {why}\n")?;
            }
        }
        if let Some(cause) = self.cause {
            writeln!(out, "{cause}\n")?;
        }
        let others: Vec<&LawResult> = failures.collect();
        if !others.is_empty() {
            writeln!(out, "It also breaks:")?;
            for law in others.iter().take(NAMED) {
                writeln!(out, "  - {}", law.says)?;
                if let Some(cause) = self.cause_of(law.says) {
                    writeln!(out, "    {cause}")?;
                }
            }
            if others.len() > NAMED {
                writeln!(out, "  and {} more", others.len() - NAMED)?;
            }
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

    fn law(group: Group, says: &'static str, state: State, breach: Option<Breach>) -> LawResult {
        LawResult { group, says, state, breach }
    }

    fn verdict(laws: Vec<LawResult>) -> Verdict {
        Verdict { exercise: "gpu::flash_layout", laws, cause: None, edges: vec![] }
    }

    #[test]
    fn a_skipped_law_is_no_failure_and_says_why() {
        let skipped = Some(Breach::skipped("it needs a card"));
        let verdict = verdict(vec![
            law(Group::Gpu, "it computes", State::Passed, None),
            law(Group::Gpu, "nothing is copied", State::Passed, None),
            law(Group::Gpu, "it computes there", State::Skipped, skipped),
        ]);
        assert_eq!(verdict.state(), State::Passed);
        let said = "✓✓ gpu::flash_layout passed: 2 laws hold.\n  skipped: it computes there\n           it needs a card";
        assert_eq!(verdict.to_string(), said);
    }

    #[test]
    fn where_only_edges_fail_the_idea_works_and_the_edge_says_why_it_matters() {
        let breach = || Some(Breach::text("nothing", "zeros", "a panic"));
        let edge = Group::Edges("batches run dry.");
        let works = verdict(vec![
            law(Group::Implementation, "it computes", State::Passed, None),
            law(edge, "an empty batch is fine", State::Failed, breach()),
        ]);
        assert_eq!(works.state(), State::Works);
        let text = works.to_string();
        assert!(
            text.starts_with("✓ gpu::flash_layout works: 1 law holds; one edge is still open."),
            "{text}"
        );
        assert!(text.contains("Why it matters: batches run dry."), "{text}");
    }

    #[test]
    fn the_idea_is_told_before_an_edge_and_three_others_are_named() {
        let failed = |group, says| law(group, says, State::Failed, None);
        let edge = Group::Edges("it happens.");
        let laws = ["one", "two", "three"].map(|says| failed(edge, says));
        let laws = [laws.to_vec(), ["a", "b"].map(|says| failed(Group::Masks, says)).to_vec()];
        let failing = verdict(laws.concat());
        assert_eq!(failing.state(), State::Failed);
        let text = failing.to_string();
        assert!(text.contains("What must hold: a\n"), "{text}");
        assert!(
            text.contains("It also breaks:\n  - b\n  - one\n  - two\n  and 1 more\n"),
            "{text}"
        );
    }
}
