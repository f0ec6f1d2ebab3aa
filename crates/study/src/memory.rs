//! What the checks last said of each chapter, so that nothing is compiled only to tell it again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use workbook::Chapter;

use crate::backup;
use crate::context::Context;
use crate::line_ends;
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
    /// When the check began.
    #[serde(default)]
    when: u64,
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

    /// Gives the learner's file, which is `now`, the present time if it was put back in its place with an old one, as a
    /// backup is: cargo goes by times, and would take it for the file that it compiled last.
    pub fn renew(&self, chapter: &Chapter, now: &Fingerprint) {
        let path = chapter.exercise_path();
        let time = || fs::metadata(&path)?.modified();
        let is_older = |checked: &Checked| {
            checked.file != now.file && time().is_ok_and(|time| milliseconds(time) <= checked.when)
        };
        if self.chapters.get(&chapter.package).is_some_and(is_older) {
            let renew =
                || File::options().append(true).open(&path)?.set_modified(SystemTime::now());
            // What can't be written to is checked as cargo sees it.
            let _ = renew();
        }
    }

    /// Remembers `states` of a chapter whose files were `fingerprint` when they were checked.
    pub fn keep(home: &Path, chapter: &Chapter, print: Fingerprint, states: States) -> Result<()> {
        let mut memory = Self::read(home); // another `cargo study` may have written meanwhile
        let checked = Checked { file: print.file, all: print.all, when: print.when, states };
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
    /// When it was taken.
    when: u64,
}

/// Since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Fingerprint {
    /// Of the chapter's files, of its checks, and of other chapters' exercises where this one's names them.
    pub fn of(context: &Context, chapter: &Chapter) -> Result<Self> {
        let when = milliseconds(SystemTime::now());
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
        let mut all = DefaultHasher::new();
        for path in files {
            let Ok(content) = fs::read(&path).map(line_ends::plain_bytes) else { continue };
            context.shown(&path).hash(&mut all);
            content.hash(&mut all);
        }
        let mut file = DefaultHasher::new();
        line_ends::plain(&mine).hash(&mut file);
        Ok(Self { file: hex(file), all: hex(all), when })
    }
}

/// It is the same from run to run. Should another version of Rust compute another, the chapter is checked once more.
fn hex(hasher: DefaultHasher) -> String {
    format!("{:016x}", hasher.finish())
}

/// The files below `folder`, if there is such a folder.
fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { below(&path, files) } else { files.push(path) }
    }
}
