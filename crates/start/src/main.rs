//! What `cargo study` starts with. It depends on next to nothing, so that it is there within seconds on a fresh clone, and
//! compiles the learner's command line, the package `study`, which does the work.
//!
//! The first `cargo study serve` shows the pages' text at once ([`early`]); the pages as they should be take its place when
//! what builds them is compiled.

mod early;
mod serve;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match serve::Serve::first(&arguments, &root()).map(serve::Serve::run) {
        Some(Ok(pages)) => replace_by(pages),
        Some(Err(code)) => code,
        None => {
            let mut study = cargo("run");
            study.args(["--package", "study", "--"]).args(arguments);
            replace_by(study)
        }
    }
}

/// The repository's folder.
fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.ancestors().nth(2).map_or(own.clone(), Path::to_owned)
}

/// A cargo that says nothing, but shows a bar while it compiles.
fn cargo(command: impl AsRef<OsStr>) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(command).arg("--quiet");
    cargo.args(["--config", "term.progress.when='always'", "--config", "term.progress.width=72"]);
    cargo
}

/// Runs `command` in the place of this program, so that signals and the exit code are its own.
#[cfg(unix)]
fn replace_by(mut command: Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    cant_start(&command.exec())
}

/// Runs `command` and ends as it does; Ctrl-C reaches both, for they share the console.
#[cfg(not(unix))]
fn replace_by(mut command: Command) -> ExitCode {
    match command.status() {
        Ok(status) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => cant_start(&error),
    }
}

fn cant_start(error: &std::io::Error) -> ExitCode {
    eprintln!("error: can't start cargo ({error}). Is it on the PATH? Type `cargo --version`.");
    ExitCode::FAILURE
}
