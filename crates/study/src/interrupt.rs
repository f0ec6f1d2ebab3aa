//! Ctrl-C: remembered, so that whoever runs a child can end it and clean up.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// What a shell expects of a program that Ctrl-C ended.
pub const EXIT_CODE: u8 = 130;

static PRESSED: AtomicBool = AtomicBool::new(false);

/// The error that travels up when the learner pressed Ctrl-C.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "stopped by Ctrl-C")
    }
}

impl std::error::Error for Interrupted {}

/// From now on, Ctrl-C no longer ends the program but is seen by [`check`].
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| PRESSED.store(true, Ordering::SeqCst))
        .context("can't listen for Ctrl-C; run the command in another terminal")
}

/// Whether Ctrl-C was pressed.
pub fn pressed() -> bool {
    PRESSED.load(Ordering::SeqCst)
}

/// Fails with [`Interrupted`] when Ctrl-C was pressed.
pub fn check() -> Result<()> {
    if pressed() {
        return Err(Interrupted.into());
    }
    Ok(())
}
