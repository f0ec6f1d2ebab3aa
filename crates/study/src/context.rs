//! Where the course is, and where its tools and the learner's state are kept.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use workbook::{Chapter, Workspace};

/// The variable that names another folder for tools and state than `.study` in the repository.
pub const HOME_VARIABLE: &str = "STUDY_HOME";

/// What every command needs to know.
pub struct Context {
    workspace: Workspace,
    home: PathBuf,
    limit: Cell<Option<u32>>,
}

impl Context {
    /// Finds the course from the current folder upwards.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir()
            .context("the current folder can't be read: change to the course's folder first")?;
        let workspace = Workspace::find(&here)?;
        let home = match std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            Some(home) => std::path::absolute(home)
                .with_context(|| format!("{HOME_VARIABLE} is not a usable path"))?,
            None => workspace.root().join(".study"),
        };
        Ok(Self { workspace, home, limit: Cell::new(None) })
    }

    /// The repository's folder.
    pub fn root(&self) -> &Path {
        self.workspace.root()
    }

    /// The folder for tools and state: `$STUDY_HOME`, or `.study` in the repository.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder with the notebooks.
    pub fn notebooks(&self) -> PathBuf {
        self.root().join("notebooks")
    }

    /// How many seconds the code of one exercise may run, where the learner has said so.
    pub fn limit(&self) -> Option<u32> {
        self.limit.get()
    }

    /// The learner has said how many seconds the code of one exercise may run; 0 for as long as it takes.
    pub fn set_limit(&self, seconds: u32) {
        self.limit.set(Some(seconds));
    }

    /// The chapters that have a crate, week by week.
    pub fn chapters(&self) -> Result<Vec<Chapter>> {
        self.workspace.chapters()
    }

    /// `path` as seen from the repository's folder, with forward slashes, for messages.
    pub fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.root()).unwrap_or(path);
        path.display().to_string().replace('\\', "/")
    }
}
