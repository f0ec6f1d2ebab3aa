//! The repository's own programs that commands run, compiled when they are first needed.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{cargo, compile};
use crate::context::Context;
use crate::interrupt;
use crate::process;

/// A program of a package of this repository.
pub struct Program {
    /// The package.
    pub package: &'static str,
    /// The program's name in it.
    pub binary: &'static str,
    /// How it is compiled: `dev`, with the notebooks' candle, or `release`.
    pub profile: &'static str,
    /// With which of the package's features.
    pub features: &'static [&'static str],
}

impl Program {
    /// Compiles it, with progress. When it does not compile, cargo's own words are shown.
    pub fn build(&self, context: &Context) -> Result<()> {
        let arguments = [&["build"], &self.which()[..]].concat();
        let built =
            compile(cargo(context.root(), &arguments), &format!("Compiling {}", self.package))?;
        if !built.status.success() {
            process::foreground(cargo(context.root(), &[&arguments[..], &["--quiet"]].concat()))?;
            bail!(
                "{} does not compile; see above. Type `git status` to see which of the course's files were changed.",
                self.package
            );
        }
        interrupt::check()
    }

    /// The program, to be run in `folder`; its arguments are still to be added.
    pub fn command(&self, folder: &Path) -> Command {
        cargo(folder, &[&["run", "--quiet"], &self.which()[..], &["--"]].concat())
    }

    fn which(&self) -> Vec<&str> {
        let which = ["--package", self.package, "--bin", self.binary, "--profile", self.profile];
        let features = self.features.iter().flat_map(|feature| ["--features", *feature]);
        which.into_iter().chain(features).collect()
    }
}
