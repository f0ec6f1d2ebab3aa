//! `cargo study lab`: the notebooks in JupyterLab.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;

use super::exit;
use crate::backup;
use crate::context::Context;
use crate::place;
use crate::process;
use crate::tools::binary::KERNEL;
use crate::tools::jupyter::Jupyter;
use crate::tools::scratch::Scratch;
use crate::ui::{Stream, good};

/// Open the course's notebooks in JupyterLab, with a Rust kernel
#[derive(Args)]
#[command(after_help = "Examples: cargo study lab -- --port 9999
          cargo study lab -- --ip 0.0.0.0     (in a container, to reach it from outside)

The first time, it installs the pinned Rust kernel and JupyterLab into `.study` (about eight minutes on two cores) and runs the
notebooks' first cell once, so that your first notebook starts in seconds. A second notebook open at the same time compiles
the course for itself, once (a minute). Needs Python 3.10 or later, or uv.
Your own Jupyter is left alone. On macOS and Windows the kernel's compilation cache is in your cache folder.")]
pub struct Lab {
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// Install everything and stop
    #[arg(long)]
    setup_only: bool,
    /// Anything else for `jupyter lab`, after `--`
    #[arg(last = true)]
    rest: Vec<String>,
}

/// What every notebook begins with; a later kernel takes the compiled crates from the cache.
const FIRST_CELL: &str =
    ":cache 4000\n:dep course = { path = \"../crates/course\" }\nuse course::prelude::*;";

impl Lab {
    /// Installs what is missing, warms the cache, and runs JupyterLab until it is shut down.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let root = place::is_root();
        // Before the installation, which takes minutes.
        self.say_where(root);
        let jupyter = Jupyter::ensure(context)?;
        let warmed = Warmed::now(context);
        if self.setup_only || !warmed.is_current() {
            warm(context, &jupyter)?;
            warmed.remember()?;
        }
        if self.setup_only {
            eprintln!("Everything is set up. Next: `cargo study lab`.");
            return Ok(ExitCode::SUCCESS);
        }
        let mut command = jupyter.module("jupyterlab");
        if self.no_open {
            command.arg("--no-browser");
        }
        if root && !self.has("--allow-root") {
            command.arg("--allow-root");
        }
        command.args(&self.rest);
        let status = process::foreground(command)?;
        Ok(exit(!status.success() && !crate::interrupt::pressed()))
    }

    /// What is special about the place where it runs, and what to type.
    fn say_where(&self, root: bool) {
        if root {
            eprintln!("You are root, which JupyterLab refuses: it is started with --allow-root.");
        }
        if place::is_container() && !self.has("--ip") {
            eprintln!(
                "This looks like a container. If its ports are not forwarded by themselves, type `cargo study lab -- --ip 0.0.0.0`,\nand publish port 8888: only then is JupyterLab reached from outside."
            );
        }
    }

    /// Whether the learner gave JupyterLab this option.
    fn has(&self, option: &str) -> bool {
        self.rest.iter().any(|given| given.split('=').next() == Some(option))
    }
}

/// A file that says for which compiler and kernel the cache was last filled.
struct Warmed {
    file: PathBuf,
    with: String,
}

impl Warmed {
    fn now(context: &Context) -> Self {
        let compiler = process::ask("rustc", &["--version"]).unwrap_or_default();
        Self {
            file: context.home().join("warmed.txt"),
            with: format!("{compiler}, {} {}\n", KERNEL.name, KERNEL.version),
        }
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|with| with == self.with)
    }

    fn remember(&self) -> Result<()> {
        backup::replace(&self.file, &self.with)
    }
}

/// Runs a notebook with nothing but the first cell.
fn warm(context: &Context, jupyter: &Jupyter) -> Result<()> {
    let scratch = Scratch::new(context.home())?;
    let file = scratch.path().join("warm-up.ipynb");
    let notebook = json!({
        "cells": [{
            "cell_type": "code", "id": "first", "metadata": {}, "source": FIRST_CELL,
            "outputs": [], "execution_count": null
        }],
        "metadata": { "kernelspec": { "name": "rust", "display_name": "Rust", "language": "rust" } },
        "nbformat": 4, "nbformat_minor": 5
    });
    fs::write(&file, notebook.to_string())
        .with_context(|| format!("can't write `{}`", file.display()))?;
    let run = jupyter.execute(&file, 0, "Compiling what the notebooks use")?;
    if let Some(fault) = run.fault() {
        bail!(
            "the notebooks' first cell does not run:\n{fault}\n\nType `cargo build --package course` to see whether the course compiles."
        );
    }
    eprintln!("{} The Rust kernel is ready ({}).", good("✓", Stream::Err), run.took);
    Ok(())
}
