//! Reads the sample workspace in `tests/sample`.

use std::path::{Path, PathBuf};

use workbook::{Chapter, Workspace};

fn sample() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests").join("sample")
}

fn chapter() -> Chapter {
    let inside = sample().join("chapters").join("02-two-words").join("src");
    let workspace = Workspace::find(&inside).expect("the sample is a workspace");
    assert_eq!(workspace.root(), sample());
    let mut chapters = workspace.chapters().expect("the sample has chapters");
    assert_eq!(chapters.len(), 1);
    chapters.remove(0)
}

#[test]
fn a_chapter_knows_its_names() {
    let chapter = chapter();
    assert_eq!((chapter.stem.as_str(), chapter.week), ("02-two-words", 2));
    assert_eq!((chapter.package.as_str(), chapter.crate_name.as_str()), ("two-words", "two_words"));
    assert!(chapter.solution_path().is_file());
    assert!(chapter.exercise_path().ends_with("02-two-words/src/exercise.rs"));
}

#[test]
fn the_stub_is_the_solution_without_its_answers() {
    let expected = r#"//! Week 2, your code: replace each `todo!()`, then run `cargo study check two_words`.
#![allow(unused)] // a stub uses nothing yet

use std::fmt;

/// Given: é, “quotes” and a brace } in docs.
const WIDTH: usize = 4; // { not a block

/// Stays as it is.
pub fn given(x: f32) -> f32 {
    helper(x)
}

fn helper(x: f32) -> f32 {
    x * 2.0
}

// ANCHOR: softmax
/// Rows that sum to one. `{`
#[must_use]
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    todo!()
}
// ANCHOR_END: softmax

// ANCHOR: Head
/// A head.
pub struct Head {
    width: usize,
}

impl Head {
    /// A head of `width`.
    pub fn new(width: usize) -> Self {
        todo!()
    }

    pub fn forward(&self, x: f32) -> f32
    where
        f32: Copy,
    {
        todo!()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
// ANCHOR_END: Head
"#;
    assert_eq!(chapter().stub_file().expect("the sample is well-formed"), expected);
}

#[test]
fn exercises_come_in_the_order_of_the_hints() {
    let exercises = chapter().exercises().expect("the sample is well-formed");
    let names: Vec<&str> = exercises.iter().map(|exercise| exercise.name.as_str()).collect();
    assert_eq!(names, ["softmax", "Head"]);
    assert!(exercises.iter().all(|exercise| exercise.hints.len() == 3));
    assert!(exercises[0].hints[1].ends_with("f32::max);\n```"));
    assert!(
        exercises[0].solution.contains("fn exponentials")
            && !exercises[0].solution.contains("ANCHOR")
    );
    assert!(exercises[0].stub.starts_with("/// Rows") && exercises[0].stub.ends_with("todo!()\n}"));
    assert!(!exercises[1].solution.contains("ANCHOR: new"));
}

#[test]
fn an_unknown_exercise_is_told_from_the_known_ones() {
    let error = chapter().exercise("sofmax").expect_err("there is none").to_string();
    assert_eq!(error, "`two_words` has no exercise `sofmax`; its exercises are: softmax, Head");
}

/// The error of a chapter whose solution and hints are these.
fn fault(solution: &str, hints: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("chapters").join("01-one");
    std::fs::create_dir_all(dir.join("src")).expect("a folder");
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).expect("a file");
    write(folder.path().join("Cargo.toml"), "[workspace]\n");
    write(dir.join("Cargo.toml"), "[package]\nname = \"one\"\n");
    write(dir.join("src").join("solution.rs"), solution);
    write(dir.join("hints.md"), hints);
    let chapters = Workspace::find(folder.path()).and_then(|w| w.chapters()).expect("readable");
    chapters[0].exercises().expect_err("must fail").to_string()
}

const HINTS: &str = "## a\n1. x\n2. y\n3. z\n";

#[test]
fn faults_of_a_chapter_name_file_and_line() {
    let error = fault("pub fn b() {}\n", HINTS);
    assert!(error.contains("hints.md:1: `## a` has no code; put `// ANCHOR: a`"), "{error}");
    let error = fault("\n// ANCHOR: a\nfn a() {}\n// ANCHOR_END: a\n", HINTS);
    assert!(error.contains("solution.rs:2: the exercise `a` has no `pub fn`"), "{error}");
    let error = fault("pub fn a() {\n    // ANCHOR: a\n    // ANCHOR_END: a\n    // x\n}\n", HINTS);
    assert!(error.contains("solution.rs:2: the exercise `a`"), "{error}");
    let error = fault("pub fn a() {\n// ANCHOR: a\nlet x = 1;\n}\n// ANCHOR_END: a\n", HINTS);
    assert!(error.contains("solution.rs:2: the exercise `a` cuts a function in two"), "{error}");
    let error = fault("pub fn a( {}\n", HINTS);
    assert!(error.contains("solution.rs:1: not valid Rust"), "{error}");
    let error =
        fault("use crate::solution::b;\n// ANCHOR: a\npub fn a() {}\n// ANCHOR_END: a\n", HINTS);
    assert!(error.contains("`use crate::solution::b;` would hand the solution"), "{error}");
}

#[test]
fn windows_line_ends_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("chapters").join("01-one");
    std::fs::create_dir_all(dir.join("src")).expect("a folder");
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).expect("a file");
    write(folder.path().join("Cargo.toml"), "[workspace]\r\n");
    write(dir.join("Cargo.toml"), "[package]\r\nname = \"one\"\r\n");
    let source = "//! Docs.\r\n\r\n// ANCHOR: a\r\npub fn a() {}\r\n// ANCHOR_END: a\r\n";
    write(dir.join("src").join("solution.rs"), source);
    write(dir.join("hints.md"), &HINTS.replace('\n', "\r\n"));
    let chapters = Workspace::find(folder.path()).and_then(|w| w.chapters()).expect("readable");
    let stub = chapters[0].stub_file().expect("well-formed");
    assert_eq!(stub.matches("\r\n").count(), stub.matches('\n').count());
    assert!(stub.contains("pub fn a() {\r\n    todo!()\r\n}\r\n"));
}

#[test]
fn no_workspace_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = Workspace::find(folder.path()).expect_err("no workspace there").to_string();
    assert!(error.starts_with("no course found"), "{error}");
}
