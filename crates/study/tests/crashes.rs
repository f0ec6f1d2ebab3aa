//! What ends an exercise's program, what exercises print, and what cargo can't build: told to whom it belongs.

mod course;

use std::fs;

use course::{Course, has};

/// A test program that reports these lines, in place of the sample's.
fn reports(course: &Course, lines: &[&str]) {
    let checks = course.folder.path().join("chapters/02-counting/tests/checks.rs");
    let program = format!(
        "fn main() {{\n    let limit = std::env::var(\"CHECKS_LIMIT\").unwrap_or_default();\n    \
         let report = {:?}.replace(\"LIMIT\", &limit);\n    \
         std::fs::write(std::env::var_os(\"CHECKS_REPORT\").unwrap(), report).unwrap();\n}}\n",
        lines.join("\n")
    );
    fs::write(checks, program).unwrap();
}

fn line(exercise: &str, state: &str, more: &str) -> String {
    format!(r#"{{"exercise":"{exercise}","who":"exercise","state":"{state}"{more}}}"#)
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_ended_an_exercise_is_told_and_the_others_keep_their_verdicts() {
    let course = Course::new();
    let ended = r#","message":"✗ counting::double failed.\n\nYour code did not end within LIMIT s.","ended":"did not end within LIMIT s.","laws":[{"group":"Implementation","says":"double is right","state":"failed"}]"#;
    let right = r#","laws":[{"group":"Implementation","says":"triple is right","state":"passed"}]"#;
    reports(&course, &[&line("double", "failed", ended), &line("triple", "passed", right)]);
    let check = course.study(&["check", "counting", "--limit", "7"]);
    has(&check.out, "✗ double\n  ✓✓ triple\n");
    has(&check.out, "\nYour code did not end within 7 s.");
    assert_eq!(check.code, Some(1));
    let verify = course.study(&["verify", "counting", "--limit", "8"]);
    has(&verify.out, "FAILED   1/2    double: the code did not end within 8 s.");
    has(&verify.out, "\n✗ counting::double: the code did not end within 8 s.\n");
    course.solve("x");
    has(&course.study(&["progress"]).out, "✗ double\n  ✓✓ triple");
    assert_eq!(course.study(&["solution", "triple"]).code, Some(0));
    has(&course.study(&["check", "--help"]).out, "--limit <SECONDS>");
    has(&course.study(&["watch", "--help"]).out, "CHECKS_LIMIT");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_an_exercise_prints_is_told_where_it_is_looked_for() {
    let course = Course::new();
    let printed = r#","printed":"x = 1\nx = 2""#;
    let failed = [r#","message":"✗ no""#, printed].concat();
    let other = r#","message":"✗ never""#;
    reports(&course, &[&line("double", "failed", other), &line("triple", "failed", &failed)]);
    let check = course.study(&["check", "counting"]);
    has(&check.out, "✗ triple\n    it printed:\n      x = 1\n      x = 2\n");
    let later = r#","laws":[{"group":"Implementation","says":"triple is right","state":"pending","why":"todo: later"}]"#;
    let later = [later, printed].concat();
    reports(&course, &[&line("double", "passed", printed), &line("triple", "pending", &later)]);
    let check = course.study(&["check", "counting"]);
    has(&check.out, "✓✓ double\n  ○ triple — todo: later\n");
    assert!(!check.out.contains("x = 1"), "{}", check.out);
    let told = "It printed, in its first example:\n  x = 1\n  x = 2\n";
    for exercise in ["double", "triple"] {
        has(&course.study(&["check", exercise]).out, told);
    }
    has(&course.study(&["verify", "counting"]).out, "triple: todo: later");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_cargo_can_not_do_is_no_fault_of_the_learners() {
    let course = Course::new();
    let root = course.folder.path();
    course.solve("2 * x");
    assert_eq!(course.study(&["check", "counting"]).code, Some(0));

    let blameless = |says: &str, next: &str| {
        let check = course.study(&["check", "counting"]);
        has(&check.err, says);
        has(
            &check.err,
            "✗ cargo could not build `counting`. That is no fault of your code.\nNext: ",
        );
        has(&check.err, next);
        assert!(!check.err.contains("reset"), "{}", check.err);
        assert_eq!(check.code, Some(1));
        let verify = course.study(&["verify", "counting"]);
        has(&verify.out, "BROKEN   0/1    cargo fails: error");
        has(&verify.out, "2 not checked.");
        assert_eq!(verify.code, Some(1));
    };

    // Another part of the chapter, with a warning in the learner's file.
    let library = root.join("chapters/02-counting/src/lib.rs");
    let text = fs::read_to_string(&library).unwrap();
    let mine = fs::read_to_string(course.exercise()).unwrap();
    fs::write(course.exercise(), mine.replace("#![allow(unused)]", "")).unwrap();
    fs::write(&library, format!("{text}\nconst NUMBER: u32 = \"one\";\n")).unwrap();
    blameless("error[E0308]: mismatched types", "`counting` has no exercise of yours");
    fs::write(&library, text).unwrap();

    // A package that is not there, and no network to fetch it from.
    let manifest = root.join("chapters/02-counting/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("{text}\n[dependencies]\nno-such-package = \"1\"\n")).unwrap();
    blameless("no-such-package", "Check the network");
    let progress = course.study(&["progress"]).out;
    has(&progress, "can't be checked: cargo fails: error: ");
    has(&progress, "\n  ? double\n  ○ triple\n");
    has(&course.study(&["solution", "double"]).err, "can't be checked now");

    fs::write(&manifest, format!("{text}\nnothing\n")).unwrap();
    let check = course.study(&["check", "counting"]);
    assert!(!check.err.contains("reset"), "{}", check.err);
    assert_eq!(check.code, Some(1));
    fs::write(&manifest, text).unwrap();

    fs::write(root.join("Cargo.lock"), "version = 4\n[[package]\n").unwrap();
    blameless("lock file", "git checkout -- Cargo.lock");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_signature_that_no_longer_fits_is_the_learners() {
    let course = Course::new();
    let mine = fs::read_to_string(course.exercise()).unwrap();
    fs::write(course.exercise(), mine.replace("pub fn double(x: u32)", "pub fn double(x: u64)"))
        .unwrap();
    let check = course.study(&["check", "counting"]);
    has(
        &check.err,
        "`counting` does not compile, so nothing could be checked.\nNext: the errors above are in what uses your code.",
    );
    has(&check.err, "cargo study reset counting");
    has(&course.study(&["progress"]).out, "! does not compile: type `cargo study check counting`");
}
