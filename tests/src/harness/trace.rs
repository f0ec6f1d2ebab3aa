//! Marks between what an answer prints: where a law begins, where an example does. Only a process that was started to
//! check writes them.

use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    io::{Write, stdout},
    sync::OnceLock,
};

/// What a mark says. The text of a mark is this as a line of JSON.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Mark<L> {
    /// A law is about to be tried.
    Law(String),
    /// An example is about to be tried, with these inputs where they are asked for.
    Example(Option<String>),
    /// All laws have been tried: what is printed from here on is not the answer's.
    Tried,
    /// The verdict.
    Verdict(L),
}

/// How a process marks what it prints.
struct Marking {
    /// Stands before each mark, and in no text.
    start: String,
    /// Whether examples are marked with their inputs, which takes time.
    inputs: bool,
}

static MARKING: OnceLock<Marking> = OnceLock::new();

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// From now on this process marks what it prints, each mark behind `start`.
pub fn begin(start: String, inputs: bool) {
    // A process begins once.
    let _ = MARKING.set(Marking { start, inputs });
}

/// The answer that this thread tries next is watched.
pub fn watch() {
    ON.set(true);
}

/// Says that `law` is about to be tried.
pub fn law(law: &str) {
    if ON.get() {
        write(&Mark::<()>::Law(law.to_owned()));
    }
}

/// Says that an example with these `inputs` is about to be tried.
pub fn example(inputs: impl FnOnce() -> String) {
    if ON.get() {
        let wanted = MARKING.get().is_some_and(|marking| marking.inputs);
        write(&Mark::<()>::Example(wanted.then(inputs)));
    }
}

/// Says that all laws have been tried; what this thread tries from now on is not watched.
pub fn tried() {
    if ON.replace(false) {
        write(&Mark::<()>::Tried);
    }
}

/// Writes a mark, when this process is one that does.
pub fn write<L: Serialize>(mark: &Mark<L>) {
    let (Some(marking), Ok(text)) = (MARKING.get(), serde_json::to_string(mark)) else { return };
    let mut out = stdout().lock();
    // Nobody is left to read what can't be written.
    let _ = writeln!(out, "{}{text}", marking.start).and_then(|()| out.flush());
}
