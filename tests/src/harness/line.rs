//! One line of the report that `cargo study` reads: what the checks say of one answer.

use super::{
    compare::Breach,
    verdict::{Group, State, Verdict},
};
use serde::{Deserialize, Serialize};

/// The first of the words that end a message: what to type next.
const NEXT: &str = "Next: cargo study hint";

/// What the checks say of one exercise's solution, or of the learner's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub chapter: String,
    pub exercise: String,
    /// `solution` or `exercise`.
    pub who: String,
    pub state: State,
    /// The full text for the terminal; empty unless it failed, or works with open edges.
    pub message: String,
    pub cause: String,
    /// What the answer printed: in the example that failed or, where none did, in the first that printed anything.
    pub printed: String,
    /// How the answer ended the program that ran it; empty when it did not.
    pub ended: String,
    pub laws: Vec<LawLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LawLine {
    pub group: String,
    pub says: String,
    pub state: State,
    pub why: String,
    /// The breach in one line.
    pub brief: String,
    /// Why an edge matters; empty for the idea.
    pub matters: String,
    /// The cause of this one, where it is not that of the whole.
    pub cause: String,
}

/// Which answer a line is about: of the chapter and its exercise, the solution or the learner's.
#[derive(Clone, Copy)]
pub(super) struct Answerer<'a> {
    pub chapter: &'a str,
    pub exercise: &'a str,
    pub who: &'a str,
}

impl Answerer<'_> {
    /// Says how the answer ended the program, with the law that was being tried and its inputs as far as known.
    pub fn ended(self, ended: &str, law: &str, given: &str, printed: &str) -> Line {
        let path = format!("{}::{}", self.chapter, self.exercise);
        let whose = if self.who == "solution" { "The course's solution" } else { "Your code" };
        let mut message = format!("✗ {path} failed.\n\n{whose} {ended}\n\n");
        if !law.is_empty() {
            message += &format!("It happened while this was tried: {law}\n");
            if !given.is_empty() {
                message += &Breach::text(given, "", "").to_string();
            }
            message.push('\n');
        }
        message += &format!("{NEXT} {path}\n      cargo study check {path}");
        let law = LawLine {
            group: Group::Implementation.name().to_owned(),
            says: if law.is_empty() { "the code ends with a result" } else { law }.to_owned(),
            state: State::Failed,
            why: format!("{whose} {ended}"),
            brief: format!("{} {ended}", whose.to_lowercase()),
            matters: String::new(),
            cause: String::new(),
        };
        let line = self.line(State::Failed, message, vec![law]);
        Line { ended: ended.to_owned(), ..line }.with_printed(printed)
    }

    /// What a verdict says.
    pub fn judged(self, verdict: &Verdict) -> Line {
        let state = verdict.state();
        let laws = verdict.laws.iter().map(|law| LawLine {
            group: law.group.name().to_owned(),
            says: law.says.to_owned(),
            state: law.state,
            why: law.breach.as_ref().map(|breach| breach.got.clone()).unwrap_or_default(),
            brief: law.breach.as_ref().map(Breach::brief).unwrap_or_default(),
            matters: law.group.why().unwrap_or_default().to_owned(),
            cause: verdict.cause_of(law.says).map(|cause| cause.to_string()).unwrap_or_default(),
        });
        let told = matches!(state, State::Works | State::Failed);
        let message = if told { verdict.to_string() } else { String::new() };
        let cause = verdict.cause.map(|cause| cause.to_string()).unwrap_or_default();
        Line { cause, ..self.line(state, message, laws.collect()) }
    }

    fn line(self, state: State, message: String, laws: Vec<LawLine>) -> Line {
        Line {
            chapter: self.chapter.to_owned(),
            exercise: self.exercise.to_owned(),
            who: self.who.to_owned(),
            state,
            message,
            cause: String::new(),
            printed: String::new(),
            ended: String::new(),
            laws,
        }
    }
}

impl Line {
    /// The law that is told in full, by its place: the first failure of the idea or, where there is none, of the edges.
    pub fn told(&self) -> Option<usize> {
        let first = |edge: bool| {
            let fails =
                |law: &LawLine| law.state == State::Failed && law.matters.is_empty() != edge;
            self.laws.iter().position(fails)
        };
        first(false).or_else(|| first(true))
    }

    /// What is still to be written, in the words of a learner's `todo!("…")`.
    pub fn note(&self) -> Option<&str> {
        let pending = self.laws.iter().find(|law| law.state == State::Pending)?;
        Some(pending.why.as_str()).filter(|why| !why.is_empty())
    }

    /// With what the answer printed, in the message before what to type next.
    pub fn with_printed(mut self, printed: &str) -> Self {
        self.printed = printed.to_owned();
        if !printed.is_empty()
            && let Some(at) = self.message.rfind(NEXT)
        {
            let indented = printed.replace('\n', "\n  ");
            self.message.insert_str(at, &format!("It printed:\n  {indented}\n\n"));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERER: Answerer =
        Answerer { chapter: "scaling", exercise: "softmax", who: "exercise" };

    #[test]
    fn what_happened_is_told_before_what_was_printed_and_what_to_type() {
        let line = ANSWERER.ended("called exit(0).", "rows sum to 1", "logits: [0]", "one\ntwo");
        let said = concat!(
            "✗ scaling::softmax failed.\n\nYour code called exit(0).\n\n",
            "It happened while this was tried: rows sum to 1\n  given    logits: [0]\n\n",
            "It printed:\n  one\n  two\n\n",
            "Next: cargo study hint scaling::softmax\n      cargo study check scaling::softmax"
        );
        assert_eq!(line.message, said);
        assert_eq!((line.state, line.ended.as_str()), (State::Failed, "called exit(0)."));
    }

    #[test]
    fn the_idea_is_told_before_an_edge() {
        let mut line = ANSWERER.ended("called exit(0).", "", "", "");
        let law = |state, matters: &str| {
            let mut line = ANSWERER.ended("", "", "", "");
            LawLine { state, matters: matters.to_owned(), ..line.laws.remove(0) }
        };
        line.laws = vec![law(State::Failed, "batches run dry."), law(State::Passed, "")];
        assert_eq!(line.told(), Some(0));
        line.laws.push(law(State::Failed, ""));
        assert_eq!(line.told(), Some(2));
        assert_eq!(line.note(), None);
    }
}
