//! What the checks last said of each chapter, so that nothing is compiled only to tell it again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use workbook::Chapter;

use crate::backup;
use crate::context::Context;
use crate::report::State;

/// The states of a chapter's exercises, in order.
pub type States = Vec<(String, State)>;

/// What is remembered, in `checked.json`.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory {
    chapters: BTreeMap<String, Checked>,
}

#[derive(Serialize, Deserialize)]
struct Checked {
    /// Of the learner's file alone.
    file: String,
    /// Of all that the outcome depends on.
    all: String,
    states: States,
}

/// What is remembered of a chapter, and whether it still holds.
pub struct Recalled {
    /// The states.
    pub states: States,
    /// Whether nothing has changed since.
    pub fresh: bool,
    /// Whether the learner's file is still the one that was checked.
    pub same_file: bool,
}

impl Recalled {
    /// Whether the week was done.
    pub fn done(&self) -> bool {
        self.states.iter().all(|(_, state)| state.is_done())
    }
}

impl Memory {
    /// What is remembered in `home`. A file that can't be read is no loss: the checks will say it again.
    pub fn read(home: &Path) -> Self {
        let text = fs::read_to_string(file(home)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What is remembered of `chapter`.
    pub fn recall(&self, context: &Context, chapter: &Chapter) -> Result<Option<Recalled>> {
        let Some(checked) = self.chapters.get(&chapter.package) else { return Ok(None) };
        let now = Fingerprint::of(context, chapter)?;
        Ok(Some(Recalled {
            states: checked.states.clone(),
            fresh: checked.all == now.all,
            same_file: checked.file == now.file,
        }))
    }

    /// Remembers `states` of a chapter whose files were `fingerprint` when they were checked.
    pub fn keep(home: &Path, chapter: &Chapter, print: Fingerprint, states: States) -> Result<()> {
        let mut memory = Self::read(home); // another `cargo study` may have written meanwhile
        let checked = Checked { file: print.file, all: print.all, states };
        memory.chapters.insert(chapter.package.clone(), checked);
        let text =
            serde_json::to_string_pretty(&memory).context("states can't be written as JSON")?;
        backup::replace(&file(home), &(text + "\n"))
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("checked.json")
}

/// Tells whether files are still the same.
pub struct Fingerprint {
    file: String,
    all: String,
}

impl Fingerprint {
    /// Of the chapter's files, of its checks, and of other chapters' exercises where this one's names them.
    pub fn of(context: &Context, chapter: &Chapter) -> Result<Self> {
        let (tests, name) = (context.root().join("tests"), &chapter.crate_name);
        let mine = fs::read_to_string(chapter.exercise_path()).unwrap_or_default();
        let mut files = vec![
            context.root().join("Cargo.toml"),
            chapter.dir.join("Cargo.toml"),
            chapter.hints_path(),
        ];
        for folder in
            [chapter.dir.join("src"), chapter.dir.join("tests"), tests.join("src/harness")]
        {
            below(&folder, &mut files);
        }
        for kind in ["src", "wrong", "fixtures"] {
            below(&tests.join(kind).join(name), &mut files);
            files.push(tests.join(kind).join(format!("{name}.rs")));
        }
        for other in context.chapters()? {
            if other.package != chapter.package {
                files.push(other.solution_path());
                if mine.contains(&format!("{}::exercise", other.crate_name))
                    || (mine.contains(&other.crate_name) && mine.contains("exercise::"))
                {
                    files.push(other.exercise_path());
                }
            }
        }
        files.retain(|path| !path.to_string_lossy().contains(".backup-"));
        files.sort();
        let mut all = Sha256::new();
        for path in files {
            let Ok(content) = fs::read(&path) else { continue };
            all.update(context.shown(&path));
            all.update(content.len().to_le_bytes());
            all.update(content);
        }
        Ok(Self { file: hex(Sha256::digest(mine)), all: hex(all.finalize()) })
    }
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files below `folder`, if there is such a folder.
fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { below(&path, files) } else { files.push(path) }
    }
}
