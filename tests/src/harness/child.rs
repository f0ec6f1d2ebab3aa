//! The process that tries answers, one after the other, for the test program that started it: whatever they do to it, that
//! program goes on.

use super::{
    entry::{Entry, Judge},
    line::Answerer,
    trace::{self, Mark},
};
use std::{
    collections::HashMap,
    env,
    io::{BufRead, stdin},
    process::{self, ExitCode},
    sync::mpsc::channel,
    thread,
};

/// The variable that makes a test program such a process; it holds what stands before each mark.
pub(super) const START: &str = "CHECKS_CHILD";
/// The variable that asks for the inputs of each example.
pub(super) const INPUTS: &str = "CHECKS_CHILD_INPUTS";

/// Tries the answers whose names come from the standard input, as long as any come.
pub(super) fn serve(chapter: &str, entries: Vec<Entry>, start: String) -> ExitCode {
    trace::begin(start, env::var_os(INPUTS).is_some());
    let mut answers: HashMap<String, (&str, &str, Judge)> = HashMap::new();
    for Entry { name, solution, exercise } in entries {
        for (who, judge) in [("solution", solution), ("exercise", exercise)] {
            answers.insert(format!("{who}::{name}"), (who, name, judge));
        }
    }
    let (sender, names) = channel();
    thread::spawn(move || {
        for name in stdin().lock().lines().map_while(Result::ok) {
            if sender.send(name).is_err() {
                return;
            }
        }
        // Nobody is left to answer, and an answer may be running that never ends.
        process::exit(0);
    });
    for name in names {
        let Some((who, exercise, judge)) = answers.remove(&name) else { return ExitCode::FAILURE };
        // A thread of its own, with the stack that a test has.
        let judging = thread::Builder::new().name(name).spawn(move || {
            trace::watch();
            judge()
        });
        // A panic that comes here is none of the answer's.
        let Ok(Ok(verdict)) = judging.map(thread::JoinHandle::join) else {
            return ExitCode::FAILURE;
        };
        trace::write(&Mark::Verdict(Answerer { chapter, exercise, who }.judged(&verdict)));
    }
    ExitCode::SUCCESS
}
