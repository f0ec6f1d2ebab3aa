//! One chapter and its exercises.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::given::{self, Given};
use crate::{hints, manifest, regions, stub, text};

/// A chapter's crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// The name that page, notebook and folder share: `02-scaling`.
    pub stem: String,
    /// The number that the stem begins with.
    pub week: u32,
    /// The package's name, from its `Cargo.toml`: `multi-head`.
    pub package: String,
    /// The package's name as Rust code writes it: `multi_head`.
    pub crate_name: String,
    /// The chapter's folder.
    pub dir: PathBuf,
    /// What a learner can do who has solved the week, in a sentence: `able` in `[package.metadata.week]`. Empty where
    /// the `Cargo.toml` does not say.
    pub able: String,
}

/// An exercise of a chapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exercise {
    /// The name of the exercise's anchor region and of its heading in `hints.md`.
    pub name: String,
    /// Three hints in Markdown, each saying a little more.
    pub hints: Vec<String>,
    /// The exercise's region of `solution.rs`, without anchor lines, dedented.
    pub solution: String,
    /// The same region of the stub: signatures and docs, with `todo!()` for bodies.
    pub stub: String,
}

impl Exercise {
    /// Whether the week is done without it: its documentation begins with "Optional."
    pub fn is_optional(&self) -> bool {
        self.stub.trim_start().starts_with("/// Optional.")
    }
}

impl Chapter {
    /// Reads the chapter whose folder is `dir`. Fails when the folder's name does not begin with a
    /// two-digit week, or when its `Cargo.toml` names no package.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let stem = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let week = match stem.split_once('-') {
            Some((week, _)) if week.len() == 2 => week.parse().ok(),
            _ => None,
        };
        let Some(week) = week else {
            bail!(
                "`{}`: a chapter's folder is named like `02-scaling`, two digits first; rename it",
                dir.display()
            );
        };
        let path = dir.join("Cargo.toml");
        let table = manifest::read(&path)?;
        let package = table.get("package").and_then(|package| package.get("name"));
        let Some(package) = package.and_then(|name| name.as_str()) else {
            bail!("`{}` names no package; add `[package]` with a `name`", path.display());
        };
        let able = table
            .get("package")
            .and_then(|package| package.get("metadata")?.get("week")?.get("able")?.as_str());
        Ok(Self {
            able: able.unwrap_or_default().to_owned(),
            stem,
            week,
            package: package.to_owned(),
            crate_name: package.replace('-', "_"),
            dir: dir.to_owned(),
        })
    }

    /// The file that a learner edits.
    pub fn exercise_path(&self) -> PathBuf {
        self.dir.join("src").join("exercise.rs")
    }

    /// The file with the chapter's final code.
    pub fn solution_path(&self) -> PathBuf {
        self.dir.join("src").join("solution.rs")
    }

    /// The file with the hints.
    pub fn hints_path(&self) -> PathBuf {
        self.dir.join("hints.md")
    }

    /// The example that draws the week's picture with the learner's code. Its name holds the package's, for cargo puts
    /// the examples of all packages into one folder.
    pub fn picture_example(&self) -> String {
        format!("my-{}", self.package)
    }

    /// The source of that example; not every chapter has one.
    pub fn picture_path(&self) -> PathBuf {
        self.dir.join("examples").join(self.picture_example()).with_extension("rs")
    }

    /// The helpers that are given to the exercises: what `solution.rs` brings into scope from this workspace, and what it
    /// names in a line `// GIVEN: path::to::item, …`. Signatures and sentences are read where the helpers are defined.
    pub fn given(&self) -> Result<Vec<Given>> {
        let (file, source) = self.solution()?;
        given::given(&source, &file, &self.dir)
    }

    /// The exercises in the order of `hints.md`.
    ///
    /// Fails when `hints.md` or `solution.rs` is missing or malformed, or when a heading of the
    /// first has no region in the second.
    pub fn exercises(&self) -> Result<Vec<Exercise>> {
        let (file, source) = self.solution()?;
        let hints = self.hints()?;
        let stub = self.stub_of(&file, &source, &hints)?;
        let solved = regions::regions(&source, &file)?;
        let stubbed = regions::regions(&stub, "the generated exercise.rs")?;
        hints
            .into_iter()
            .map(|hints| {
                let shown = |text: &str, all: &[regions::Region]| {
                    let region = all.iter().find(|region| region.name == hints.exercise);
                    region.map(|region| regions::shown(text, region)).with_context(|| {
                        format!(
                            "{}:{}: `## {}` has no code; put `// ANCHOR: {2}` and `// ANCHOR_END: {2}` around it in {file}",
                            self.hints_path().display(),
                            hints.line,
                            hints.exercise
                        )
                    })
                };
                Ok(Exercise {
                    solution: shown(&source, &solved)?,
                    stub: shown(&stub, &stubbed)?,
                    name: hints.exercise.clone(),
                    hints: hints.hints.clone(),
                })
            })
            .collect()
    }

    /// The exercise called `name`; an error lists those there are.
    pub fn exercise(&self, name: &str) -> Result<Exercise> {
        let exercises = self.exercises()?;
        let names: Vec<String> = exercises.iter().map(|exercise| exercise.name.clone()).collect();
        exercises.into_iter().find(|exercise| exercise.name == name).with_context(|| {
            format!(
                "`{}` has no exercise `{name}`; its exercises are: {}",
                self.crate_name,
                names.join(", ")
            )
        })
    }

    /// The text of `exercise.rs` as a learner first finds it, made from `solution.rs`: a copy in
    /// which, inside exercise regions, `pub` function bodies are `todo!()` and private functions
    /// are left out.
    pub fn stub_file(&self) -> Result<String> {
        let (file, source) = self.solution()?;
        self.stub_of(&file, &source, &self.hints()?)
    }

    fn stub_of(&self, file: &str, source: &str, hints: &[hints::Hints]) -> Result<String> {
        let names: Vec<&str> = hints.iter().map(|hints| hints.exercise.as_str()).collect();
        let given = given::given(source, file, &self.dir)?;
        stub::stub(source, file, self.week, &self.crate_name, &names, &given)
    }

    fn solution(&self) -> Result<(String, String)> {
        let path = self.solution_path();
        Ok((path.display().to_string(), text::read(&path)?))
    }

    fn hints(&self) -> Result<Vec<hints::Hints>> {
        let path = self.hints_path();
        hints::parse(&text::read(&path)?, &path.display().to_string())
    }
}
