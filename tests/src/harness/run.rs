//! The test program of a chapter: its solution and the learner's exercise before the same checks.

use super::{
    compare::Breach,
    verdict::{State, Verdict},
};
use libtest_mimic::{Arguments, Completion, Trial};
use serde::Serialize;
use std::{
    env, fs,
    io::Write,
    process::ExitCode,
    sync::{Arc, Mutex},
};

/// The file into which every verdict goes as a line of JSON, for `cargo study`.
const REPORT: &str = "CHECKS_REPORT";

type Judge = Box<dyn Fn() -> Verdict + Send>;

/// One exercise: its name, and the check on the chapter's solution and on the learner's file.
pub struct Entry {
    name: &'static str,
    solution: Judge,
    exercise: Judge,
}

impl Entry {
    /// An exercise whose check is called by the two closures.
    pub fn new(
        name: &'static str,
        solution: impl Fn() -> Verdict + Send + 'static,
        exercise: impl Fn() -> Verdict + Send + 'static,
    ) -> Self {
        Self { name, solution: Box::new(solution), exercise: Box::new(exercise) }
    }
}

/// Lists exercises that are free functions: the check, the solution and the stub share one name.
///
/// `entries!(scaling: softmax, entropy)` needs `solution` and `exercise` of the chapter in scope.
#[macro_export]
macro_rules! entries {
    ($chapter:ident: $($name:ident),+ $(,)?) => {
        vec![$($crate::Entry::new(
            stringify!($name),
            || $crate::$chapter::$name(solution::$name),
            || $crate::$chapter::$name(exercise::$name),
        )),+]
    };
}

/// One line of the report.
#[derive(Serialize)]
struct Line<'a> {
    chapter: &'a str,
    exercise: &'a str,
    who: &'a str,
    state: State,
    message: String,
    cause: String,
    laws: Vec<LawLine<'a>>,
}

#[derive(Serialize)]
struct LawLine<'a> {
    group: &'static str,
    says: &'a str,
    state: State,
    why: String,
    /// The breach in one line.
    brief: String,
    /// Why an edge matters; empty for the idea.
    matters: &'static str,
    /// The cause of this one, where it is not that of the whole.
    cause: String,
}

/// Runs the checks of a chapter as tests: solutions must pass; an exercise passes, works, fails or is pending.
///
/// Exercises that are pending, or whose edges are open, are shown as `ignored` and counted in the last line. Takes the arguments of `cargo test`.
pub fn run(chapter: &'static str, entries: Vec<Entry>) -> ExitCode {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut trials = Vec::new();
    for Entry { name, solution, exercise } in entries {
        for (who, judge) in [("solution", solution), ("exercise", exercise)] {
            let seen = seen.clone();
            trials.push(Trial::ignorable_test(format!("{who}::{name}"), move || {
                let verdict = judge();
                let state = verdict.state();
                report(chapter, name, who, &verdict).map_err(|error| error.to_string())?;
                if let Ok(mut seen) = seen.lock() {
                    seen.push((who, state));
                }
                match (who, state) {
                    ("exercise", State::Pending) => Ok(Completion::ignored_with("pending")),
                    ("exercise", State::Works) => {
                        Ok(Completion::ignored_with("✓ works; edges are open"))
                    }
                    (_, State::Passed | State::Skipped) => Ok(Completion::Completed),
                    _ => Err(format!("\n{verdict}\n").into()),
                }
            }));
        }
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print_summary(chapter, &seen.lock().map(|seen| seen.clone()).unwrap_or_default());
    }
    conclusion.exit_code()
}

fn print_summary(chapter: &str, seen: &[(&str, State)]) {
    let count =
        |wanted| seen.iter().filter(|&&(who, state)| who == "exercise" && state == wanted).count();
    let said = [
        (State::Passed, "passed (✓✓)"),
        (State::Works, "work, with open edges (✓)"),
        (State::Failed, "failed"),
        (State::Pending, "pending"),
        (State::Skipped, "skipped"),
    ];
    let said = said.map(|(state, word)| (count(state), word));
    let said: Vec<String> = said
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let package = chapter.replace('_', "-");
    println!("{package}: exercises: {}. Next: cargo study check {package}\n", said.join(", "));
}

fn report(chapter: &str, exercise: &str, who: &str, verdict: &Verdict) -> std::io::Result<()> {
    let Some(file) = env::var_os(REPORT) else {
        return Ok(());
    };
    let state = verdict.state();
    let laws = verdict.laws.iter().map(|law| LawLine {
        group: law.group.name(),
        says: law.says,
        state: law.state,
        why: law.breach.as_ref().map(|breach| breach.got.clone()).unwrap_or_default(),
        brief: law.breach.as_ref().map(Breach::brief).unwrap_or_default(),
        matters: law.group.why().unwrap_or_default(),
        cause: verdict.cause_of(law.says).map(|cause| cause.to_string()).unwrap_or_default(),
    });
    let told = matches!(state, State::Works | State::Failed);
    let message = if told { verdict.to_string() } else { String::new() };
    let cause = verdict.cause.map(|cause| cause.to_string()).unwrap_or_default();
    let line = Line { chapter, exercise, who, state, message, cause, laws: laws.collect() };
    let mut text = serde_json::to_string(&line)?;
    text.push('\n');
    // One write a line: trials run in parallel and append to one file.
    fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
