//! The test program of a chapter: its solution and the learner's exercise before the same checks.

use super::{
    child,
    entry::Entry,
    line::{Answerer, Line},
    pool::Pool,
    verdict::State,
};
use libtest_mimic::{Arguments, Completion, Trial};
use std::{
    env, fs, io,
    io::Write,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The file into which every verdict goes as a line of JSON, for `cargo study`.
const REPORT: &str = "CHECKS_REPORT";
/// How many seconds the code of one answer may run; 0 for as long as it takes.
const LIMIT: &str = "CHECKS_LIMIT";
/// The seconds where nothing is said.
const USUAL_LIMIT: u64 = 30;

/// Runs the checks of a chapter as tests: solutions must pass; an exercise passes, works, fails or is pending.
///
/// Exercises that are pending, or whose edges are open, are shown as `ignored` and counted in the last line. Takes the
/// arguments of `cargo test`. Answers are tried in other processes: one that overflows its stack, or never ends, fails alone.
pub fn run(chapter: &'static str, entries: Vec<Entry>) -> ExitCode {
    if let Ok(start) = env::var(child::START) {
        return child::serve(chapter, entries, start);
    }
    let arguments = Arguments::from_args();
    let pool = limit()
        .and_then(|limit| Pool::new(limit, arguments.nocapture).map_err(|error| error.to_string()));
    let pool = match pool {
        Ok(pool) => Arc::new(pool),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut trials = Vec::new();
    for exercise in entries.iter().map(|entry| entry.name) {
        for who in ["solution", "exercise"] {
            let (seen, pool) = (seen.clone(), pool.clone());
            trials.push(Trial::ignorable_test(format!("{who}::{exercise}"), move || {
                let line = pool.judge(Answerer { chapter, exercise, who })?;
                report(&line)?;
                if let Ok(mut seen) = seen.lock() {
                    seen.push((who, line.state));
                }
                match (who, line.state) {
                    ("exercise", State::Pending) => Ok(Completion::ignored_with(pending(&line))),
                    ("exercise", State::Works) => {
                        Ok(Completion::ignored_with("✓ works; edges are open"))
                    }
                    (_, State::Passed | State::Skipped) => Ok(Completion::Completed),
                    _ => Err(format!("\n{}\n", line.message).into()),
                }
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print_summary(chapter, &seen.lock().map(|seen| seen.clone()).unwrap_or_default());
    }
    conclusion.exit_code()
}

/// How long the code of one answer may run, if there is a limit.
fn limit() -> Result<Option<Duration>, String> {
    let seconds = match env::var(LIMIT) {
        Ok(text) => text.parse().map_err(|_| {
            format!("{LIMIT}={text}: expected whole seconds for one exercise, or 0 for no limit")
        })?,
        Err(_) => USUAL_LIMIT,
    };
    Ok(Some(Duration::from_secs(seconds)).filter(|limit| !limit.is_zero()))
}

fn pending(line: &Line) -> String {
    line.note().map_or("pending".to_owned(), |note| format!("pending: {note}"))
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

fn report(line: &Line) -> io::Result<()> {
    let Some(file) = env::var_os(REPORT) else {
        return Ok(());
    };
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    // One write a line: trials run in parallel and append to one file.
    fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
