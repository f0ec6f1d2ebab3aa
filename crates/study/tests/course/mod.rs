//! A course with two tiny chapters, in a temporary folder.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The course.
pub struct Course {
    /// Where it is.
    pub folder: TempDir,
}

/// What `study` said.
pub struct Answer {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Course {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(
            &Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/sample"),
            folder.path(),
        );
        let course = Self { folder };
        for chapter in ["counting", "adding"] {
            assert_eq!(course.study(&["reset", chapter]).code, Some(0));
        }
        course
    }

    pub fn exercise(&self) -> PathBuf {
        self.folder.path().join("chapters/02-counting/src/exercise.rs")
    }

    /// What cargo has compiled of the course.
    pub fn built(&self) -> bool {
        self.folder.path().join("target").exists()
    }

    /// Writes `body` into the exercise in place of its next `todo!()`.
    pub fn solve(&self, body: &str) {
        let text = fs::read_to_string(self.exercise()).unwrap();
        fs::write(self.exercise(), with(&text, body)).unwrap();
    }

    pub fn backups(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.exercise().parent().unwrap()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("exercise.backup-")).collect()
    }

    /// `study`, as a learner in the course's folder calls it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_study"));
        command
            .args(arguments)
            .current_dir(self.folder.path().join("chapters"))
            .env_remove("STUDY_HOME")
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("NO_COLOR", "1");
        command
    }

    /// What `study` says.
    pub fn study(&self, arguments: &[&str]) -> Answer {
        let output = self.command(arguments).output().unwrap();
        Answer {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// An exercise file with `body` in place of its next `todo!()`.
pub fn with(text: &str, body: &str) -> String {
    const OPEN: &str = "    todo!()\n";
    assert!(text.contains(OPEN), "{text}");
    text.replacen(OPEN, &format!("    {body}\n"), 1)
}

/// Fails unless `part` is in `text`.
#[track_caller]
pub fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is not in:\n{text}");
}
