//! Programs that `cargo install` builds, each pinned to a version.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use super::{scratch, version_in};
use crate::cargo::{cargo, compile};
use crate::context::Context;
use crate::process;
use crate::ui::{Stream, good, took};

/// A program from crates.io.
pub struct Tool {
    /// The crate, and the program in it.
    pub name: &'static str,
    /// The version that the course is tested with.
    pub version: &'static str,
    /// What it is for and how long it takes, said before it is installed.
    pub about: &'static str,
}

/// Runs Rust in notebooks.
pub const KERNEL: Tool = Tool {
    name: "evcxr_jupyter",
    version: "0.22.0",
    about: "runs Rust in notebooks; once, about four minutes on two cores",
};

/// How a tool is compiled unless the learner's environment says otherwise. It is built once, by someone who waits for it,
/// and then runs for moments at a time: what counts is how long the build takes, as long as the tool is fast enough: without any
/// optimisation, the kernel takes three times as long for each cell.
const LIGHT: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

impl Tool {
    /// Where the program is, if its pinned version is there: in the course's own folder, or on the PATH.
    pub fn find(&self, context: &Context) -> Option<PathBuf> {
        let own = self.own(context);
        if own.is_file() && self.is_recorded(context) {
            return Some(own);
        }
        let answer = process::ask(self.name, &["--version"]);
        (answer.as_deref().and_then(version_in) == Some(self.version)).then(|| self.name.into())
    }

    /// Whether cargo has recorded that it installed this version; not every program tells its own.
    fn is_recorded(&self, context: &Context) -> bool {
        let record = fs::read_to_string(context.home().join(".crates.toml")).unwrap_or_default();
        let entry = format!("\"{} {} (", self.name, self.version);
        record.lines().any(|line| line.starts_with(&entry))
    }

    /// Where the program is; installs it first when it is not there.
    pub fn ensure(&self, context: &Context) -> Result<PathBuf> {
        if let Some(program) = self.find(context) {
            return Ok(program);
        }
        let _turn = scratch::installing(context.home())?;
        // Another `cargo study` may have installed it while this one waited.
        if let Some(program) = self.find(context) {
            return Ok(program);
        }
        self.install(context)
    }

    /// Builds in a temporary folder; cargo moves the finished program into place, so nothing is ever half there.
    fn install(&self, context: &Context) -> Result<PathBuf> {
        let home = context.home();
        eprintln!(
            "Installing {} {} ({}) into {}",
            self.name,
            self.version,
            self.about,
            home.display()
        );
        let scratch = scratch::Scratch::new(home)?;
        let mut command = cargo(scratch.path(), &["install", "--locked", "--force", self.name]);
        command.args(["--version", self.version]);
        command.envs(light(|name| std::env::var_os(name).is_some()));
        command.arg("--root").arg(home).arg("--target-dir").arg(scratch.path().join("target"));
        let title = format!("{} {}", self.name, self.version);
        let started = Instant::now();
        let finished = compile(command, &title)?;
        if !finished.status.success() {
            bail!(
                "{title} could not be installed:\n{}\n\nFix this, then type the same command again. Nothing can be installed without a network.",
                last_lines(&finished.stderr)
            );
        }
        eprintln!("{} {title} is installed ({}).", good("✓", Stream::Err), took(started.elapsed()));
        Ok(self.own(context))
    }

    fn own(&self, context: &Context) -> PathBuf {
        let file = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        context.home().join("bin").join(file)
    }
}

/// The settings of [`LIGHT`] that are not `set` already.
fn light(set: impl Fn(&str) -> bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    LIGHT.into_iter().filter(move |(name, _)| !set(name))
}

/// The end of what cargo wrote, without its progress.
fn last_lines(stderr: &str) -> String {
    let noise = ["Compiling", "Downloaded", "Downloading", "Building", "Updating", "Installing"];
    let told = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !noise.iter().any(|word| line.starts_with(word))
    };
    let lines: Vec<&str> = stderr.split(['\n', '\r']).filter(told).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_built_lightly_but_for_what_the_learner_has_set() {
        let all: Vec<_> = light(|_| false).collect();
        assert_eq!(all, LIGHT);
        let rest: Vec<_> = light(|name| name == "CARGO_PROFILE_RELEASE_LTO").collect();
        assert_eq!(rest, LIGHT[1..]);
    }

    #[test]
    fn an_error_is_cut_out_of_the_progress() {
        let stderr =
            "  Compiling a v1\n   Building [=> ] 1/2: a\rerror: linking failed\n  note: no cc\n";
        assert_eq!(last_lines(stderr), "error: linking failed\n  note: no cc");
    }
}
