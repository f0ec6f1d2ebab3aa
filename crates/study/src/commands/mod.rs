//! The commands, one file each.

pub mod bench;
pub mod check;
pub mod doctor;
pub mod fetch;
pub mod hint;
pub mod lab;
pub mod notebooks;
pub mod progress;
pub mod reset;
pub mod serve;
pub mod solution;
pub mod train;
pub mod verify;
pub mod visualize;
pub mod watch;

use std::process::ExitCode;

/// The exit code of a command that found something failed.
fn exit(failed: bool) -> ExitCode {
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
