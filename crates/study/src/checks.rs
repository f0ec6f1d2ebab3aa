//! Running a chapter's checks.

use anyhow::{Context as _, Result, bail};
use workbook::{Chapter, Exercise};

use crate::cargo::{cargo, compile};
use crate::context::Context;
use crate::fault::Fault;
use crate::memory::{Fingerprint, Memory, States};
use crate::process;
use crate::report::{self, LIMIT, Line, State, VARIABLE, Who};
use crate::ui::Progress;

/// How a run of a chapter's checks ended.
pub enum Outcome {
    /// They ran: what they said, in the order of the exercises.
    Ran(Report),
    /// Cargo could not build them.
    Unbuilt(Fault),
}

/// What the checks said about one chapter.
pub struct Report {
    lines: Vec<Line>,
    exercises: Vec<Exercise>,
}

impl Report {
    /// What was said about each exercise of `who`, in the order of the exercises.
    pub fn of(&self, who: Who) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.lines.iter().filter(|line| line.who == who).collect();
        let place =
            |line: &Line| self.exercises.iter().position(|exercise| exercise.name == line.exercise);
        lines.sort_by_key(|line| place(line).unwrap_or(usize::MAX));
        lines
    }

    /// How the learner's `exercise` came out; a name that is no exercise is pending.
    pub fn state(&self, exercise: &str) -> State {
        let found = self.of(Who::Exercise).into_iter().find(|line| line.exercise == exercise);
        found.map_or(State::Pending, |line| line.state)
    }

    /// How all of the learner's exercises came out, in order.
    pub fn states(&self) -> States {
        let state = |exercise: &Exercise| match self.state(&exercise.name) {
            State::Pending => State::unwritten(exercise),
            state => state,
        };
        self.exercises.iter().map(|exercise| (exercise.name.clone(), state(exercise))).collect()
    }

    /// The chapter's exercises, in order.
    pub fn exercises(&self) -> &[Exercise] {
        &self.exercises
    }
}

/// Whether compile errors are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// As cargo shows them.
    Show,
    /// Not at all.
    Hide,
}

/// Compiles and runs the checks of `chapter`, and remembers what they say of each exercise.
pub fn run(context: &Context, chapter: &Chapter, errors: Errors) -> Result<Outcome> {
    let print = Fingerprint::of(context, chapter)?;
    Memory::read(context.home()).renew(chapter, &print);
    let test = ["test", "--package", chapter.package.as_str(), "--test", "checks"];
    let build = [&test[..], &["--no-run"]].concat();
    let built = compile(cargo(context.root(), &build), &format!("Compiling {}", chapter.package))?;
    if !built.status.success() {
        let fault = Fault::of(&context.chapters()?, &built.stderr);
        if errors == Errors::Show {
            show(context, &fault, &build)?;
        }
        return Ok(Outcome::Unbuilt(fault));
    }
    let folder = tempfile::tempdir().context("can't make a temporary folder: is the disk full?")?;
    let file = folder.path().join("report.jsonl");
    let mut command = cargo(context.root(), &[&["test", "--quiet"], &test[1..]].concat());
    command.env(VARIABLE, &file);
    if let Some(seconds) = context.limit() {
        command.env(LIMIT, seconds.to_string());
    }
    let mut progress = Progress::start(&format!("Checking {}", chapter.package));
    let finished = process::run(command, |line| progress.detail(line))?;
    progress.clear();
    let report = Report { lines: report::read(&file)?, exercises: chapter.exercises()? };
    let told = |name: &str| report.of(Who::Exercise).iter().any(|line| line.exercise == name);
    let untold = report.exercises.iter().map(|exercise| &exercise.name).find(|name| !told(name));
    let failed = report.lines.iter().any(Line::fails);
    if untold.is_some() || (!finished.status.success() && !failed) {
        let what = untold.map_or("failed without saying why".to_owned(), |name| {
            format!("ended without reporting on `{name}`")
        });
        bail!(
            "the checks of `{0}` {what}:\n{1}\n\nType `cargo test -p {0} --test checks` to watch them run.",
            chapter.package,
            finished.output()
        );
    }
    // What can't be remembered is found out again.
    Memory::keep(context.home(), chapter, print, report.states()).ok();
    Ok(Outcome::Ran(report))
}

/// Shows why cargo could not `build`.
pub fn show(context: &Context, fault: &Fault, build: &[&str]) -> Result<()> {
    match fault {
        Fault::Other(words) => eprintln!("{words}"),
        // Once more, straight to the terminal: cargo knows best how to show an error.
        _ => {
            process::foreground(cargo(context.root(), &[build, &["--quiet"]].concat()))?;
        }
    }
    Ok(())
}
