//! How a process ended that should have answered, in words.

use std::process::ExitStatus;

/// What the standard library says of a stack that is full.
const OVERFLOW: [&str; 2] = ["has overflowed its stack", "fatal runtime error: stack overflow"];
/// What it says of memory that it does not get, before and behind the number of bytes.
const MEMORY: [&str; 2] = ["memory allocation of ", " bytes failed"];

/// What it says of a panic on the way of another, or of one that no destructor may let through.
const PANIC: &str = "non-unwinding panic";

/// Whether a line is the standard library's, and not the answer's.
pub(super) fn is_of_the_library(line: &str) -> bool {
    [OVERFLOW[0], OVERFLOW[1], PANIC].iter().any(|words| line.contains(words))
        || memory(line).is_some()
}

fn memory(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(MEMORY[0])?;
    rest.split_once(MEMORY[1]).map(|(bytes, _)| bytes)
}

/// A sentence whose subject is the code: what it did to end the process. `last` is the end of what came from it.
pub(super) fn in_words(status: ExitStatus, last: &str) -> String {
    const OVERFLOWED: &str = "overflowed the stack: a recursion that does not end?";
    if OVERFLOW.iter().any(|words| last.contains(words)) {
        return OVERFLOWED.to_owned();
    }
    if let Some(bytes) = memory(last) {
        return format!("asked for more memory than there is: {bytes} bytes at once.");
    }
    if last.contains(PANIC) {
        return "panicked while another panic was on its way, which ends the program.".to_owned();
    }
    match (status.code(), signal(status)) {
        (Some(code), _) if cfg!(windows) => match code.cast_unsigned() {
            0xC000_00FD => OVERFLOWED.to_owned(),
            0xC000_0005 => "touched memory that is not its own.".to_owned(),
            0xC000_0017 => "asked for more memory than there is.".to_owned(),
            // What `abort` comes to there.
            0xC000_0409 => "called abort().".to_owned(),
            other if other >= 0xC000_0000 => format!("was ended by the system ({other:#x})."),
            _ => format!("called exit({code})."),
        },
        (Some(code), _) => format!("called exit({code})."),
        (None, Some(6)) => "called abort().".to_owned(),
        (None, Some(9)) => "was killed by the system: it may have used up the memory.".to_owned(),
        // The second is macOS's number.
        (None, Some(7 | 10 | 11)) => "touched memory that is not its own.".to_owned(),
        (None, Some(number)) => format!("was ended by signal {number}."),
        (None, None) => format!("was ended: {status}."),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
