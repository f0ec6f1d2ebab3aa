//! The report that a chapter's test program writes: one line of JSON per exercise and answerer.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The variable that tells a test program where to write its report.
pub const VARIABLE: &str = "CHECKS_REPORT";

/// The variable that tells it how many seconds the code of one exercise may run; 0 for as long as it takes.
pub const LIMIT: &str = "CHECKS_LIMIT";

/// How an exercise, or one law of it, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Still `todo!()`.
    Pending,
    /// All that must hold holds: ✓✓.
    Passed,
    /// The idea works, edges are open: ✓.
    Works,
    /// The idea does not work.
    Failed,
    /// Could not be run here.
    Skipped,
    /// Does not compile; no report says so.
    Broken,
    /// Written, and not to be checked while another week does not compile; no report says so.
    Unknown,
    /// Still `todo!()`, and the week is done without it; no report says so.
    Optional,
}

impl State {
    /// Whether the exercise does what it should.
    pub fn works(self) -> bool {
        matches!(self, Self::Passed | Self::Works | Self::Skipped)
    }

    /// Whether the learner may go on: a week is done when all its exercises are.
    pub fn is_done(self) -> bool {
        self.works() || self == Self::Optional
    }

    /// Whether nothing has been written yet.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Optional)
    }

    /// The state of an exercise that is still `todo!()`.
    pub fn unwritten(exercise: &workbook::Exercise) -> Self {
        if exercise.is_optional() { Self::Optional } else { Self::Pending }
    }
}

/// Whose code was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The course's own.
    Solution,
    /// The learner's.
    Exercise,
}

/// One thing that must hold.
#[derive(Clone, Debug, Deserialize)]
pub struct Law {
    /// Its row in `cargo study verify`.
    pub group: String,
    /// What must hold, in a sentence.
    pub says: String,
    /// How it came out.
    pub state: State,
    /// Why it failed or was skipped; the text of a `todo!("…")`.
    #[serde(default)]
    pub why: String,
    /// The same in one line.
    #[serde(default)]
    pub brief: String,
    /// Why it matters, where it is an edge; empty for the idea.
    #[serde(default)]
    pub matters: String,
    /// The sentence on the cause of this one, where it is not that of the whole.
    #[serde(default)]
    pub cause: String,
}

impl Law {
    /// Whether it is an edge that does not hold.
    pub fn is_open_edge(&self) -> bool {
        self.state == State::Failed && !self.matters.is_empty()
    }
}

/// What the checks said of one exercise.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// The exercise's name, without its chapter.
    pub exercise: String,
    /// Whose code it was.
    pub who: Who,
    /// How it came out.
    pub state: State,
    /// The full text for the terminal; empty unless it failed, or works with open edges.
    #[serde(default)]
    pub message: String,
    /// The sentence on the likely cause; empty when none is known.
    #[serde(default)]
    pub cause: String,
    /// What the code printed: in the example that failed or, where none did, in the first that printed anything.
    #[serde(default)]
    pub printed: String,
    /// How the code ended the program that ran it, as in `overflowed the stack.`; empty when it did not.
    #[serde(default)]
    pub ended: String,
    /// What was tried, in order.
    #[serde(default)]
    pub laws: Vec<Law>,
}

impl Line {
    /// Whether a mistake is known that explains all that is wrong.
    pub fn has_likely_cause(&self) -> bool {
        self.cause.starts_with("Likely cause")
    }

    /// What is still to be written, in the words of the learner's `todo!("…")`.
    pub fn note(&self) -> Option<&str> {
        let pending = self.laws.iter().find(|law| law.state == State::Pending)?;
        pending.why.lines().next()
    }

    /// Whether the test program counts it as a failure: open edges are none, but in a solution.
    pub fn fails(&self) -> bool {
        self.state == State::Failed || (self.state == State::Works && self.who == Who::Solution)
    }
}

/// Reads the report in `file`. Without a file, nothing was checked.
pub fn read(file: &Path) -> Result<Vec<Line>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("can't read the report `{}`", file.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Line>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).with_context(|| {
                format!("the checks wrote a line that `cargo study` can't read: {line}; update both with `git pull`")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let text = concat!(
            r#"{"chapter":"scaling","exercise":"softmax","who":"exercise","state":"failed","message":"no","#,
            r#""laws":[{"group":"Implementation","says":"rows sum to 1","state":"failed","why":"2"}]}"#,
            "\n\n",
            r#"{"chapter":"scaling","exercise":"softmax","who":"solution","state":"passed","message":"","laws":[]}"#,
            "\n"
        );
        let lines = parse(text).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].who, lines[0].state), (Who::Exercise, State::Failed));
        assert_eq!(lines[0].laws[0].group, "Implementation");
        assert_eq!([lines[0].fails(), lines[1].fails()], [true, false]);
        let works = |who| Line { who, state: State::Works, ..lines[0].clone() };
        assert_eq!([Who::Solution, Who::Exercise].map(|who| works(who).fails()), [true, false]);
        assert!(parse("{").unwrap_err().to_string().contains("can't read"));
    }
}
