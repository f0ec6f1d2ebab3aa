//! The workspace: where it is and which chapters it has.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{Chapter, manifest};

/// The course's repository.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the workspace that `start` lies in: the nearest folder, from `start` upwards, whose
    /// `Cargo.toml` has a `[workspace]` table.
    ///
    /// Fails when there is none, or when a `Cargo.toml` on the way can't be read.
    pub fn find(start: &Path) -> Result<Self> {
        let start = std::path::absolute(start)
            .with_context(|| format!("`{}` is not a usable path", start.display()))?;
        for folder in start.ancestors() {
            let manifest = folder.join("Cargo.toml");
            if manifest.is_file() && manifest::read(&manifest)?.contains_key("workspace") {
                return Ok(Self { root: folder.to_owned() });
            }
        }
        bail!(
            "no course found: neither `{}` nor a folder above it has a Cargo.toml with `[workspace]`; \
             run this inside the course's repository",
            start.display()
        )
    }

    /// The folder of the repository, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The chapters that have a crate, sorted by stem. A folder of `chapters/` without a
    /// `Cargo.toml` is none.
    pub fn chapters(&self) -> Result<Vec<Chapter>> {
        let folder = self.root.join("chapters");
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("can't list the chapters in `{}`", folder.display()))?;
        let mut chapters = Vec::new();
        for entry in entries {
            let dir = entry.with_context(|| format!("can't list `{}`", folder.display()))?.path();
            if dir.join("Cargo.toml").is_file() {
                chapters.push(Chapter::open(&dir)?);
            }
        }
        chapters.sort_by(|a, b| a.stem.cmp(&b.stem));
        Ok(chapters)
    }
}
