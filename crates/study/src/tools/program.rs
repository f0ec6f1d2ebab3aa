//! The repository's own programs that commands run, compiled when they are first needed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{cargo, compile};
use crate::context::Context;
use crate::fault;
use crate::interrupt;
use crate::process;

/// A program of a package of this repository.
pub struct Program {
    /// The package.
    pub package: &'static str,
    /// The program's name in it.
    pub binary: &'static str,
    /// With which of the package's features.
    pub features: &'static [&'static str],
    /// Whether the package is in `tools`, a workspace of its own.
    pub apart: bool,
}

impl Program {
    /// The program that is called like its package.
    pub const fn new(package: &'static str) -> Self {
        Self { package, binary: package, features: &[], apart: false }
    }

    /// The same in `tools`.
    pub const fn tool(package: &'static str) -> Self {
        Self { apart: true, ..Self::new(package) }
    }

    /// Compiles it, with progress. When it does not compile, cargo's own words are shown.
    pub fn build(&self, context: &Context) -> Result<()> {
        let cargo = || self.cargo(context, context.root(), "build");
        let built = compile(cargo(), &format!("Compiling {}", self.package))?;
        if !built.status.success() {
            let mut again = cargo();
            again.arg("--quiet");
            process::foreground(again)?;
            bail!(
                "`{}` could not be compiled; see above.\nNext: {}",
                self.package,
                fault::remedy(&built.stderr)
            );
        }
        interrupt::check()
    }

    /// The program, to be run in `folder`; its arguments are still to be added.
    pub fn command(&self, context: &Context, folder: &Path) -> Command {
        let mut command = self.cargo(context, folder, "run");
        command.args(["--quiet", "--"]);
        command
    }

    fn cargo(&self, context: &Context, folder: &Path, what: &str) -> Command {
        let mut command = cargo(folder, &[what, "--package", self.package, "--bin", self.binary]);
        for feature in self.features {
            command.args(["--features", feature]);
        }
        if self.apart {
            let course = std::env::var_os("CARGO_TARGET_DIR");
            command.arg("--manifest-path").arg(context.root().join("tools").join("Cargo.toml"));
            command.arg("--target-dir").arg(target(context.root(), course));
        }
        command
    }
}

/// Where `tools` is compiled: below the folder that cargo compiles the course into, which `course` may name.
fn target(root: &Path, course: Option<OsString>) -> PathBuf {
    let course = course.filter(|folder| !folder.is_empty());
    let course = course.map_or_else(|| root.join("target"), PathBuf::from);
    // Cargo is run in several folders, and all of them mean the same one.
    std::path::absolute(&course).unwrap_or(course).join("tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_compiled_below_the_courses_target() {
        let root = std::path::absolute("course").unwrap();
        let own = root.join("target").join("tools");
        assert_eq!(target(&root, None), own);
        assert_eq!(target(&root, Some("".into())), own);
        let other = std::path::absolute("other").unwrap().join("tools");
        assert_eq!(target(&root, Some("other".into())), other);
    }
}
