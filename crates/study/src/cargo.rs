//! Running cargo, with the crate being compiled in view.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{self, Finished};
use crate::ui::Progress;

/// What `cargo run` sets for the program it runs, and must not be passed on to another cargo.
const OWN_VARIABLES: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// The variable in which `cargo run` puts the folders of its own libraries.
const LIBRARY_PATH: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// The program `name` with the environment that the learner's shell gave, as far as `cargo run` lets it be known.
pub fn clean(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    for (variable, _) in std::env::vars_os() {
        let text = variable.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || OWN_VARIABLES.contains(&text.as_ref()) {
            command.env_remove(variable);
        }
    }
    // A notebook links a `libcourse` of its own; it must not find the one of this build by name.
    if let (Some(paths), Ok(own)) = (std::env::var_os(LIBRARY_PATH), std::env::current_exe())
        && let Some(own) = own.parent()
    {
        let others = std::env::split_paths(&paths).filter(|path| !path.starts_with(own));
        if let Ok(others) = std::env::join_paths(others) {
            command.env(LIBRARY_PATH, others);
        }
    }
    command
}

/// Cargo, in `folder`.
pub fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = clean(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(arguments);
    command
}

/// Runs a cargo command that compiles, and shows how far it is under `title`.
pub fn compile(mut command: Command, title: &str) -> Result<Finished> {
    let mut progress = Progress::build(title);
    command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "120")
        .env("CARGO_TERM_COLOR", "never");
    let finished = process::run(command, |line| match step(line) {
        Some(Step::Building { done, total, crates }) => progress.set(done, total, crates),
        Some(Step::Other(text)) => progress.detail(text),
        None => {}
    })?;
    if finished.status.success() {
        progress.clear();
    }
    Ok(finished)
}

#[derive(Debug, PartialEq)]
enum Step<'a> {
    Building { done: u64, total: u64, crates: &'a str },
    Other(&'a str),
}

/// Reads a line of cargo's progress: `Building [==>   ] 12/300: syn, quote`.
fn step(line: &str) -> Option<Step<'_>> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("Building [") {
        let (_, rest) = rest.split_once(']')?;
        let (count, crates) = rest.split_once(':').unwrap_or((rest, ""));
        let (done, total) = count.trim().split_once('/')?;
        return Some(Step::Building {
            done: done.parse().ok()?,
            total: total.parse().ok()?,
            crates: crates.trim(),
        });
    }
    let waiting = ["Updating", "Downloading", "Downloaded", "Compiling", "Blocking", "Installing"];
    waiting.iter().any(|word| line.starts_with(word)).then_some(Step::Other(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_read() {
        assert_eq!(
            step("    Building [=======>         ] 103/250: ra_ap_syntax, salsa"),
            Some(Step::Building { done: 103, total: 250, crates: "ra_ap_syntax, salsa" })
        );
        assert_eq!(step("   Compiling syn v3.0.9"), Some(Step::Other("Compiling syn v3.0.9")));
        assert_eq!(step("error[E0308]: mismatched types"), None);
        assert_eq!(step("Building [=>"), None);
    }
}
