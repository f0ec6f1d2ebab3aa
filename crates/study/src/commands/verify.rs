//! `cargo study verify`: a summary of all that the checks tried.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use console::{StyledObject, pad_str};
use workbook::Chapter;

use super::{exit, progress};
use crate::checks::{self, Errors, Outcome, Report};
use crate::context::Context;
use crate::fault::Fault;
use crate::interrupt::Interrupted;
use crate::limit::Limit;
use crate::names;
use crate::report::{State, Who};
use crate::ui::{Stream, bad, good, heading, open};

/// Show everything that is checked in a table: PASSED, OPEN (an edge does not hold), FAILED, BROKEN (does not compile), PENDING or SKIPPED, and why
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study verify\n          cargo study verify scaling --solutions"
)]
pub struct Verify {
    /// A chapter (`scaling`, `2`); every chapter if left out
    chapter: Option<String>,
    /// Check the course's solutions instead of your code
    #[arg(long)]
    solutions: bool,
    #[command(flatten)]
    limit: Limit,
}

/// One line of the table: a chapter and a group of laws.
#[derive(Debug, PartialEq)]
struct Row {
    chapter: String,
    group: String,
    state: State,
    passed: usize,
    tried: usize,
    why: String,
}

impl Verify {
    /// Runs the checks and prints the table.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        self.limit.set(context);
        let mut chapters = context.chapters()?;
        if let Some(typed) = &self.chapter {
            chapters = vec![names::chapter(&chapters, typed)?];
        }
        let who = if self.solutions { Who::Solution } else { Who::Exercise };
        let (mut all, mut states, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for chapter in &chapters {
            let outcome = match checks::run(context, chapter, Errors::Hide) {
                Err(error) if error.is::<Interrupted>() => return Err(error),
                Err(_) => {
                    all.push(crashed(&chapter.package));
                    states.extend(chapter.exercises()?.iter().map(|_| State::Failed));
                    continue;
                }
                Ok(outcome) => outcome,
            };
            match outcome {
                Outcome::Ran(report) => {
                    all.extend(rows(&chapter.package, &report, who));
                    ended.extend(endings(chapter, &report, who));
                    states.extend(report.of(who).into_iter().map(|line| line.state));
                }
                Outcome::Unbuilt(fault) => {
                    let state = match fault {
                        Fault::Other(_) => State::Unknown,
                        _ => State::Broken,
                    };
                    all.push(unbuilt(&chapter.package, &fault));
                    states.extend(chapter.exercises()?.iter().map(|_| state));
                }
            }
        }
        print(&all);
        for (path, ended) in ended {
            println!("{} {path}: the code {ended}", bad("✗", Stream::Out));
        }
        println!("{}", progress::summary(&states));
        Ok(exit(all.iter().any(|row| matches!(row.state, State::Failed | State::Broken))))
    }
}

/// The exercises whose code ended the program that ran it, and how: a row of the table names one of them only.
fn endings(chapter: &Chapter, report: &Report, who: Who) -> Vec<(String, String)> {
    let lines = report.of(who).into_iter().filter(|line| !line.ended.is_empty());
    lines.map(|line| (names::path(chapter, &line.exercise), line.ended.clone())).collect()
}

/// The row of a chapter that could not be built.
fn unbuilt(chapter: &str, fault: &Fault) -> Row {
    let why = match fault.package() {
        Some(other) if other != chapter => {
            format!("`{other}`, which it uses, does not compile: type `cargo study check {other}`")
        }
        Some(_) => format!("does not compile: type `cargo study check {chapter}`"),
        None => format!("{}; type `cargo study check {chapter}`", fault.brief()),
    };
    let (chapter, group) = (chapter.to_owned(), "Compilation".to_owned());
    Row { chapter, group, state: State::Broken, passed: 0, tried: 1, why }
}

/// The row of a chapter whose checks ended before they had said everything.
fn crashed(chapter: &str) -> Row {
    let why = format!("the checks crash: type `cargo study check {chapter}`");
    let (chapter, group) = (chapter.to_owned(), "Checks".to_owned());
    Row { chapter, group, state: State::Failed, passed: 0, tried: 1, why }
}

fn rows(chapter: &str, report: &Report, who: Who) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in report.of(who) {
        for law in &line.laws {
            let state = if law.is_open_edge() { State::Works } else { law.state };
            let why = match state {
                State::Passed => String::new(),
                State::Pending | State::Optional => {
                    let note = line.note().unwrap_or("still a `todo!()`");
                    format!("{}: {note}", line.exercise)
                }
                State::Failed if !line.ended.is_empty() => {
                    format!("{}: the code {}", line.exercise, line.ended)
                }
                State::Skipped => format!("{}: {}", line.exercise, law.why),
                State::Works | State::Failed | State::Broken | State::Unknown => {
                    format!("{}: must hold: {}", line.exercise, law.says)
                }
            };
            add(&mut rows, chapter, &law.group, state, why);
        }
        if line.laws.is_empty() && line.state != State::Passed {
            add(&mut rows, chapter, "Implementation", line.state, line.exercise.clone());
        }
    }
    rows
}

/// Counts one law; the gravest state of a group, and the first reason for it, stand for the group.
fn add(rows: &mut Vec<Row>, chapter: &str, group: &str, state: State, why: String) {
    let index = rows.iter().position(|row| row.group == group).unwrap_or_else(|| {
        rows.push(Row {
            chapter: chapter.to_owned(),
            group: group.to_owned(),
            state,
            passed: 0,
            tried: 0,
            why: why.clone(),
        });
        rows.len() - 1
    });
    let row = &mut rows[index];
    row.tried += 1;
    row.passed += usize::from(state == State::Passed);
    if gravity(state) > gravity(row.state) {
        row.state = state;
        row.why = why.lines().next().unwrap_or_default().to_owned();
    }
}

fn gravity(state: State) -> u8 {
    match state {
        State::Passed => 0,
        State::Skipped | State::Unknown => 1,
        State::Pending | State::Optional => 2,
        State::Works => 3,
        State::Failed => 4,
        State::Broken => 5,
    }
}

fn print(rows: &[Row]) {
    let width = |text: fn(&Row) -> &str, least: usize| {
        rows.iter().map(|row| text(row).len()).fold(least, usize::max)
    };
    let (chapters, groups) = (width(|row| &row.chapter, 7), width(|row| &row.group, 5));
    let cell =
        |text: &str, width| pad_str(text, width, console::Alignment::Left, None).into_owned();
    println!(
        "{}",
        heading(&format!(
            "{}  {}  RESULT   LAWS   WHY",
            cell("CHAPTER", chapters),
            cell("GROUP", groups)
        ))
    );
    for row in rows {
        let laws = format!("{}/{}", row.passed, row.tried);
        let line = format!(
            "{}  {}  {}  {laws:<5}  {}",
            cell(&row.chapter, chapters),
            cell(&row.group, groups),
            cell(&word(row.state).to_string(), 7),
            row.why
        );
        println!("{}", line.trim_end());
    }
    println!("\n{}", summary(rows));
}

fn summary(rows: &[Row]) -> String {
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let words = [
        (State::Passed, "passed"),
        (State::Works, "open"),
        (State::Failed, "failed"),
        (State::Broken, "broken"),
        (State::Pending, "pending"),
        (State::Skipped, "skipped"),
    ];
    let said = words.map(|(state, word)| (count(state), word));
    let said = said.iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, word)| format!("{count} {word}")).collect();
    format!("{} rows: {}.", rows.len(), said.join(", "))
}

fn word(state: State) -> StyledObject<&'static str> {
    match state {
        State::Passed => good("PASSED", Stream::Out),
        State::Works => open("OPEN", Stream::Out),
        State::Broken => bad("BROKEN", Stream::Out),
        State::Failed => bad("FAILED", Stream::Out),
        State::Pending | State::Optional => open("PENDING", Stream::Out),
        State::Skipped | State::Unknown => open("SKIPPED", Stream::Out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_law_stands_for_its_group() {
        let mut rows = Vec::new();
        for (group, state, why) in [
            ("Masks", State::Passed, ""),
            ("Masks", State::Failed, "first"),
            ("Masks", State::Failed, "second"),
            ("Weights", State::Skipped, "no GPU"),
            ("Weights", State::Passed, ""),
        ] {
            add(&mut rows, "masking", group, state, why.to_owned());
        }
        let seen: Vec<_> = rows
            .iter()
            .map(|r| (r.group.as_str(), r.state, r.passed, r.tried, r.why.as_str()))
            .collect();
        assert_eq!(
            seen,
            [("Masks", State::Failed, 1, 3, "first"), ("Weights", State::Skipped, 1, 2, "no GPU")]
        );
    }
}
