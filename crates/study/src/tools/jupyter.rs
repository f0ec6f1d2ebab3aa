//! JupyterLab in a virtual environment of the course, with the Rust kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::binary::KERNEL;
use super::python::{self, Maker, python_of};
use super::{kernel, scratch};
use crate::backup;
use crate::cargo::clean;
use crate::context::Context;
use crate::process::{self, Finished};
use crate::ui::{Progress, took};

/// Everything that is installed, one pinned package a line.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Runs a notebook and says which cell it is at.
const EXECUTE: &str = include_str!("execute.py");

/// The announcements that JupyterLab fetches and pops up are switched off.
const ANNOUNCEMENTS: &str = "@jupyterlab/apputils-extension:announcements";

/// A Jupyter that is ready to run Rust.
pub struct Jupyter {
    python: PathBuf,
    home: PathBuf,
    notebooks: PathBuf,
}

impl Jupyter {
    /// Installs what is missing: the kernel and the virtual environment.
    pub fn ensure(context: &Context) -> Result<Self> {
        // Python first: its absence is known at once, while the kernel takes minutes.
        let environment = environment(context);
        if !is_complete(&environment) {
            install(context, &environment)?;
        }
        let program = KERNEL.ensure(context)?;
        let python = python_of(&environment);
        kernel::register(context, &environment, &python, &program)?;
        let notebooks = context.notebooks();
        fs::create_dir_all(&notebooks)
            .with_context(|| format!("can't make `{}`", notebooks.display()))?;
        let ipython = context.home().join("jupyter-home").join("ipython");
        fs::create_dir_all(&ipython)
            .with_context(|| format!("can't make `{}`", ipython.display()))?;
        Ok(Self { python, home: context.home().to_owned(), notebooks })
    }

    /// `python -m module`, in the notebooks' folder, with all of Jupyter's folders in the course's own.
    pub fn module(&self, module: &str) -> Command {
        let mut command = self.python();
        command.args(["-m", module]);
        command
    }

    fn python(&self) -> Command {
        let own = |name: &str| self.home.join("jupyter-home").join(name);
        let mut command = clean(&self.python);
        command.current_dir(&self.notebooks);
        command
            .env("JUPYTER_CONFIG_DIR", own("config"))
            .env("JUPYTER_DATA_DIR", own("data"))
            .env("JUPYTER_RUNTIME_DIR", own("runtime"))
            .env("IPYTHONDIR", own("ipython"))
            // Elsewhere a pipe has the system's own encoding: on Windows one without √ or Greek letters.
            .env("PYTHONUTF8", "1")
            .env_remove("JUPYTER_PATH")
            .env_remove("PYTHONPATH")
            .env_remove("PYTHONHOME");
        command
    }

    /// Runs the notebook `file`, wherever it lies, in the notebooks' folder, and writes the outputs into it. A cell may take `timeout` seconds, or for ever with 0.
    pub fn execute(&self, file: &Path, timeout: u32, title: &str) -> Result<Executed> {
        let mut command = self.python();
        command.args(["-c", EXECUTE]).arg(file).args([kernel::NAME, &timeout.to_string()]);
        let mut progress = Progress::start(title);
        let finished = process::run(command, |line| {
            if let Some((done, total, cell)) = cell(line) {
                progress.set(done.saturating_sub(1), total, cell);
            }
        })?;
        let seconds = took(progress.elapsed());
        if finished.status.success() {
            progress.clear();
        }
        Ok(Executed { finished, took: seconds })
    }
}

/// How the run of a notebook ended.
pub struct Executed {
    finished: Finished,
    /// How long it took.
    pub took: String,
}

impl Executed {
    /// What went wrong, if anything did.
    pub fn fault(&self) -> Option<&str> {
        (!self.finished.status.success()).then_some(self.finished.stderr.trim())
    }
}

/// Whether the virtual environment is there, with what this version of the course pins.
pub fn is_installed(context: &Context) -> bool {
    is_complete(&environment(context))
}

/// The virtual environment's folder.
fn environment(context: &Context) -> PathBuf {
    context.home().join("jupyter")
}

/// A complete environment carries the list of what is in it; the list is written last.
fn is_complete(environment: &Path) -> bool {
    fs::read_to_string(marker(environment)).is_ok_and(|installed| installed == REQUIREMENTS)
}

fn marker(environment: &Path) -> PathBuf {
    environment.join("installed.txt")
}

/// Makes the environment in its final place, for its scripts hold absolute paths. One without its list is started anew.
fn install(context: &Context, environment: &Path) -> Result<()> {
    let maker = python::find()?;
    let _turn = scratch::installing(context.home())?;
    if is_complete(environment) {
        return Ok(());
    }
    remove(environment)?;
    let made = fill(context, environment, &maker);
    if made.is_err() {
        // The first error is the one to tell; what is left of the folder goes at the next attempt.
        let _ = remove(environment);
    }
    made
}

fn fill(context: &Context, environment: &Path, maker: &Maker) -> Result<()> {
    let title = "JupyterLab";
    let mut progress = Progress::start(title);
    eprintln!("Installing JupyterLab (once, a minute or two) into {}", environment.display());
    progress.detail("making a virtual environment");
    let make = maker.environment(environment);
    process::run(make, |_| ())?.succeed("the virtual environment could not be made")?;

    let scratch = scratch::Scratch::new(context.home())?;
    let list = scratch.path().join("requirements.txt");
    backup::replace(&list, REQUIREMENTS)?;
    let mut fetch = maker.installer(environment);
    fetch.arg("--requirement").arg(&list);
    let (mut done, total) = (0, names(REQUIREMENTS).len() as u64);
    let fetched = process::run(fetch, |line| {
        if let Some(package) = line.trim().strip_prefix("Collecting ") {
            done = (done + 1).min(total);
            progress.set(done, total, package.split([' ', '=']).next().unwrap_or(package));
        } else if line.trim().starts_with("Installing") {
            progress.set(total, total, "unpacking");
        }
    })?;
    fetched.succeed(
        "JupyterLab could not be installed (it needs a network and a gigabyte of disk space); fix this, then type the same command again",
    )?;
    let settings =
        serde_json::to_string_pretty(&json!({ "disabledExtensions": { ANNOUNCEMENTS: true } }))?;
    let labconfig = environment.join("etc").join("jupyter").join("labconfig");
    backup::replace(&labconfig.join("page_config.json"), &settings)?;
    backup::replace(&marker(environment), REQUIREMENTS)?;
    let seconds = took(progress.elapsed());
    progress.done(&format!("JupyterLab is installed ({seconds})"));
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
            .with_context(|| format!("can't remove `{}`: remove it by hand", folder.display())),
        _ => Ok(()),
    }
}

/// The packages of a list of requirements, each once.
fn names(requirements: &str) -> Vec<&str> {
    let lines = requirements.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut names: Vec<&str> =
        lines.filter_map(|line| line.split_once("==")).map(|(name, _)| name.trim()).collect();
    names.dedup();
    names
}

/// Reads the executor's `cell 3/20 let x = 1;`.
fn cell(line: &str) -> Option<(u64, u64, &str)> {
    let (count, code) = line.strip_prefix("cell ")?.split_once(' ')?;
    let (at, total) = count.split_once('/')?;
    Some((at.parse().ok()?, total.parse().ok()?, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned() {
        let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for line in lines {
            assert!(line.contains("=="), "{line}");
        }
        let names = names(REQUIREMENTS);
        assert!(["jupyterlab", "nbclient", "nbconvert"].iter().all(|name| names.contains(name)));
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_list_of_requirements_is_read() {
        let list = "# pins\nipython==8 ; python_full_version < '3.11'\nipython==9\nzmq==1\n";
        assert_eq!(names(list), ["ipython", "zmq"]);
    }

    /// A cell may begin with any letter, and the executor prints it.
    #[test]
    fn python_writes_utf_8_everywhere() {
        let folder = || PathBuf::from("folder");
        let jupyter = Jupyter { python: folder(), home: folder(), notebooks: folder() };
        let command = jupyter.module("jupyterlab");
        let mut variables = command.get_envs();
        assert!(variables.any(|(name, value)| name == "PYTHONUTF8" && value == Some("1".as_ref())));
    }

    #[test]
    fn the_executor_is_understood() {
        assert_eq!(cell("cell 3/20 let x = 1;"), Some((3, 20, "let x = 1;")));
        assert_eq!(cell("cell 3 of 20 failed:"), None);
        assert_eq!(cell("Traceback"), None);
    }

    #[test]
    fn an_environment_counts_once_its_list_is_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_complete(folder.path()));
        fs::write(marker(folder.path()), "jupyterlab==1").unwrap();
        assert!(!is_complete(folder.path()));
        fs::write(marker(folder.path()), REQUIREMENTS).unwrap();
        assert!(is_complete(folder.path()));
    }
}
