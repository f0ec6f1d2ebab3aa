//! Finding a Python that can make a virtual environment, and what is done with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::at_least;
use crate::cargo::clean;
use crate::process::ask;

/// The oldest Python that JupyterLab's pinned version runs on.
pub const LEAST: &str = "3.10";

/// What can make a virtual environment.
#[derive(Debug, PartialEq)]
pub enum Maker {
    /// A Python with its `venv` module: the program and the arguments that it needs first.
    Python(Vec<&'static str>),
    /// The program `uv`, which brings a Python itself.
    Uv,
}

impl Maker {
    /// Makes a virtual environment in `folder`.
    pub fn environment(&self, folder: &Path) -> Command {
        let mut make = match self {
            Self::Python(program) => {
                let mut make = clean(program[0]);
                make.args(&program[1..]).args(["-m", "venv"]);
                make
            }
            Self::Uv => {
                let mut make = clean("uv");
                make.args(["venv", "--python", &format!(">={LEAST}")]);
                make
            }
        };
        make.arg(folder);
        make
    }

    /// Installs the packages that are added to the command into `environment`.
    pub fn installer(&self, environment: &Path) -> Command {
        let python = python_of(environment);
        match self {
            Self::Python(_) => {
                let mut pip = clean(python);
                pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"]);
                pip.args(["--progress-bar", "off"]);
                pip
            }
            Self::Uv => {
                let mut uv = clean("uv");
                uv.args(["pip", "install", "--python"]).arg(python);
                uv
            }
        }
    }
}

/// The Python of a virtual environment.
pub fn python_of(environment: &Path) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join("python.exe")
    } else {
        environment.join("bin").join("python")
    }
}

/// Prints the version, and fails when the modules that `python -m venv` needs are missing (Debian packs them apart).
const PROBE: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";

/// The first Python of `python3`, `python`, `py -3` that will do; else `uv`; else an error that says what to type.
pub fn find() -> Result<Maker> {
    let candidates = [vec!["python3"], vec!["python"], vec!["py", "-3"]];
    for candidate in candidates {
        let arguments = [&candidate[1..], &["-c", PROBE]].concat();
        if ask(candidate[0], &arguments).is_some_and(|version| at_least(&version, LEAST)) {
            return Ok(Maker::Python(candidate));
        }
    }
    if ask("uv", &["--version"]).is_some() {
        return Ok(Maker::Uv);
    }
    bail!(
        "notebooks need Python {LEAST} or later with its `venv` module. Install it and type the command again:\n{INSTALL}"
    )
}

const INSTALL: &str = "  Debian, Ubuntu:  sudo apt install python3 python3-venv
  Fedora:          sudo dnf install python3
  macOS:           brew install python3
  Windows:         winget install Python.Python.3.13
Or install uv (https://docs.astral.sh/uv), which brings its own Python. Pages and checks need no Python.";
