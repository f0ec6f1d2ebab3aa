//! Ctrl-C, and being told to end: remembered, so that whoever runs a child can end it and clean up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};

const SIGHUP: usize = 1;
const SIGINT: usize = 2;
const SIGTERM: usize = 15;

/// The last signal that came, 0 before the first.
static CAME: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The error that travels up when the learner pressed Ctrl-C, or when the program was told to end.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "stopped by Ctrl-C")
    }
}

impl std::error::Error for Interrupted {}

/// From now on, neither Ctrl-C nor `kill` nor a closed terminal ends the program: [`check`] sees them.
pub fn listen() -> Result<()> {
    handle().context("can't listen for Ctrl-C; run the command in another terminal")
}

#[cfg(unix)]
fn handle() -> std::io::Result<()> {
    let mut all = vec![SIGINT, SIGTERM];
    if !survives_hang_up() {
        all.push(SIGHUP);
    }
    for signal in all {
        signal_hook::flag::register_usize(signal as i32, Arc::clone(&CAME), signal)?;
    }
    Ok(())
}

/// Whether the program was started to outlive its terminal, as with `nohup`: then every child outlives it too.
#[cfg(unix)]
fn survives_hang_up() -> bool {
    use std::process::{Command, Stdio};
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -HUP $$; exit 0"]);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

/// Windows ends the program itself when its window is closed, and with it the job that holds its children.
#[cfg(not(unix))]
fn handle() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| CAME.store(SIGINT, Ordering::SeqCst))
}

fn came() -> usize {
    CAME.load(Ordering::SeqCst)
}

/// Whether the program is to end, by Ctrl-C or otherwise.
pub fn pressed() -> bool {
    came() != 0
}

/// Whether the program is to end, and not by Ctrl-C: nobody waits for an answer.
pub fn dismissed() -> bool {
    matches!(came(), SIGHUP | SIGTERM)
}

/// Fails with [`Interrupted`] when the program is to end.
pub fn check() -> Result<()> {
    if pressed() {
        return Err(Interrupted.into());
    }
    Ok(())
}

/// What a shell expects of a program that ended by what came: 130 for Ctrl-C, 143 for `kill`, 129 for a closed terminal.
pub fn exit_code() -> u8 {
    code_of(came())
}

/// What a shell expects of a program that the signal of this number ended; of an unknown one, as by Ctrl-C.
pub fn code_of(signal: usize) -> u8 {
    u8::try_from(signal).ok().filter(|signal| *signal != 0).map_or(130, |signal| 128 | signal)
}
