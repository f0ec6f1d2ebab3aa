//! The commands as a learner calls them, on a course with one tiny chapter.

mod course;

use std::fs;
use std::path::Path;
use std::process::Command;

use course::{Course, has};

/// The kernel builds its packages in `.study`, inside this repository: cargo must not take them for the workspace's.
#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_package_of_the_kernel_is_none_of_the_workspace() {
    let home = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../.study");
    fs::create_dir_all(&home).unwrap();
    let package = tempfile::Builder::new().prefix("test-").tempdir_in(home).unwrap();
    let manifest = package.path().join("Cargo.toml");
    fs::write(&manifest, "[package]\nname = \"ctx\"\n[lib]\npath = \"lib.rs\"\n").unwrap();
    fs::write(package.path().join("lib.rs"), "").unwrap();
    let mut cargo = Command::new(std::env::var("CARGO").unwrap());
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"]);
    let answer = cargo.arg(&manifest).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_learner_goes_from_pending_to_passed() {
    let course = Course::new();
    let check = course.study(&["check", "counting"]);
    has(&check.out, "○ double\n  ○ triple");
    has(&check.out, "Next: write `double` in chapters/02-counting/src/exercise.rs");
    assert_eq!(check.code, Some(0));

    course.solve("x + 3");
    let check = course.study(&["check", "2"]);
    has(&check.out, "✗ double\n  ○ triple");
    has(&check.out, "expected 8, got 7");
    assert_eq!(check.code, Some(1));
    assert_eq!(course.study(&["check", "counting::triple"]).code, Some(0));
    let verify = course.study(&["verify"]);
    has(
        &verify.out,
        "counting  Implementation  FAILED   0/2    double: must hold: double is right",
    );
    assert_eq!(verify.code, Some(1));
    has(&course.study(&["verify", "counting", "--solutions"]).out, "PASSED   2/2");

    let solution = course.study(&["solution", "double"]);
    has(&solution.err, "3 hints are left: `cargo study hint counting::double`");
    assert_eq!(solution.code, Some(1));
    has(&course.study(&["solution", "double", "--peek"]).out, "x * 2");

    assert_eq!(course.study(&["reset", "counting"]).code, Some(0));
    course.solve("x + x");
    has(&course.study(&["solution", "counting::double"]).out, "x * 2");
    let progress = course.study(&["progress"]);
    has(&progress.out, "Week 2 · counting · 1 of 2 work, 1 with edges\n  ✓✓ double\n  ○ triple");
    has(&progress.out, "Week 3 · adding · not started, 1 exercise");
    has(&progress.out, "1 of 3 exercises work (✓), 1 of them with edges (✓✓), 2 pending.");
    has(&progress.out, "Next: `counting::triple` (book/02-counting.md).");
    course.solve("3 * x");
    let check = course.study(&["check"]);
    has(&check.out, "✓✓ double\n  ✓✓ triple");
    has(&check.out, "Week 3 · adding\n  ○ sum");
    assert_eq!(check.code, Some(0));
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_week_is_done_when_its_ideas_work_and_its_edges_are_a_round_of_their_own() {
    let course = Course::new();
    course.solve("if x == 0 { 5 } else { 2 * x }");
    let check = course.study(&["check", "counting"]);
    has(&check.out, "✓ double\n  ○ triple");
    assert!(!check.out.contains("Edges") && !check.out.contains("is done"), "{}", check.out);
    has(&course.study(&["solution", "double"]).out, "x * 2");

    course.solve("3 * x");
    let check = course.study(&["check", "counting"]);
    assert_eq!(check.code, Some(0));
    let parts = [
        "Week 2 is done. You can multiply.",
        "Twice two, by your code: target/figures/02-counting/mine.svg",
        "1 exercise still leaves some open.",
        "  double\n    - double of nothing is nothing\n      expected 0, got 5\n      Why it matters: batches run dry.",
        "Next: read book/03-adding.md (`cargo study serve`), then type `cargo study check adding`.",
    ];
    let mut rest = check.out.as_str();
    for part in parts {
        let at = rest.find(part);
        rest = &rest
            [at.unwrap_or_else(|| panic!("`{part}` is not, or not there, in:\n{}", check.out))..];
    }
    let picture = course.folder.path().join("target/figures/02-counting/mine.svg");
    assert_eq!(fs::read_to_string(picture).unwrap(), "<svg>4</svg>");
    // Drawn once; asked for again, it says where the picture is.
    has(
        &course.study(&["check", "counting"]).out,
        "Your picture: target/figures/02-counting/mine.svg",
    );
    has(
        &course.study(&["progress"]).out,
        "2 of 3 exercises work (✓), 1 of them with edges (✓✓), 1 pending.",
    );
    let verify = course.study(&["verify", "counting"]);
    has(
        &verify.out,
        "counting  Edges           OPEN     1/2    double: must hold: double of nothing is nothing",
    );
    has(
        &verify.out,
        "2 rows: 1 passed, 1 open.\n2 of 2 exercises work (✓), 1 of them with edges (✓✓).",
    );
    assert_eq!(verify.code, Some(0));
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_failure_of_what_is_called_is_told_as_such() {
    let course = Course::new();
    course.solve("x + 3");
    course.solve("helper(x) + x");
    let mine = fs::read_to_string(course.exercise()).unwrap();
    fs::write(course.exercise(), mine + "\nfn helper(x: u32) -> u32 { double(x) }\n").unwrap();
    let check = course.study(&["check", "counting"]);
    has(&check.out, "\nexpected 8, got 7");
    has(&check.out, "✗ triple\n    `triple` calls your `double`, which fails: fix that first.");
    let check = course.study(&["check", "triple"]);
    has(
        &check.out,
        "`triple` calls your `double`, which fails: fix that first.\n\nexpected 12, got 11",
    );
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn an_edge_that_is_open_through_a_failure_is_not_told_before_that_is_mended() {
    let course = Course::new();
    course.solve("x + 3");
    course.solve("if x == 0 { double(x) } else { 3 * x }");
    let check = course.study(&["check", "triple"]);
    let blamed = "`triple` calls your `double`, which fails: fix that first.";
    has(&check.out, &format!("{blamed}\n\nNext: cargo study check counting::double"));
    assert!(!check.out.contains("expected 0"), "{}", check.out);
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn an_open_edge_may_come_from_what_is_called() {
    let course = Course::new();
    course.solve("if x == 0 { 5 } else { 2 * x }");
    course.solve("double(x) + x");
    let check = course.study(&["check", "counting"]);
    let blamed =
        "`triple` calls your `double`, whose edges are still open: they may be the reason.";
    let edge = "    - triple of nothing is nothing\n      expected 0, got 5";
    let matters = "      Why it matters: batches run dry.";
    has(&check.out, &format!("\n  triple\n{edge}\n{matters}\n    {blamed}\n"));
    has(&course.study(&["check", "triple"]).out, &format!("\nexpected 0, got 5\n\n{blamed}"));
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_failure_whose_own_cause_is_known_is_told_before_what_is_called() {
    let course = Course::new();
    course.solve("x + 5");
    course.solve("double(x) - 2");
    let check = course.study(&["check", "counting"]);
    assert!(!check.out.contains("fix that first"), "{}", check.out);
    let doubt = "`triple` calls your `double`, which fails too; it may be the reason.";
    has(
        &check.out,
        &format!(
            "    must hold: triple is right\n    expected 12, got 7\n    Likely cause: it adds.\n    {doubt}"
        ),
    );
    has(
        &course.study(&["check", "triple"]).out,
        &format!("Likely cause: it adds.\n\n{doubt}\n\nNext: think"),
    );
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_waits_for_another_exercise_is_not_asked_for() {
    let course = Course::new();
    course.solve("triple(x) - x");
    let check = course.study(&["check", "counting"]);
    has(&check.out, "`double` calls your `triple`, which is not written yet: start there.");
    has(&check.out, "Next: write `triple` in");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_compile_error_is_shown_as_cargo_shows_it() {
    let course = Course::new();
    course.solve("\"two\"");
    let check = course.study(&["check", "counting"]);
    has(&check.err, "error[E0308]: mismatched types");
    has(&check.err, "`counting` does not compile");
    has(&check.err, "cargo study reset counting");
    assert_eq!(check.code, Some(1));
    // Week 3 uses week 2: that breaks none of its states.
    let progress = course.study(&["progress"]);
    has(
        &progress.out,
        "! does not compile: type `cargo study check counting`\n  ! double\n  ! triple",
    );
    has(&progress.out, "Week 3 · adding · not started, 1 exercise");
    has(
        &progress.out,
        "0 of 3 exercises work (✓), 0 of them with edges (✓✓), 2 not compiling, 1 pending.",
    );
    let verify = course.study(&["verify"]);
    has(&verify.out, "counting  Compilation  BROKEN   0/1    does not compile");
    has(
        &verify.out,
        "`counting`, which it uses, does not compile: type `cargo study check counting`",
    );
    assert_eq!(verify.code, Some(1));
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn checks_that_crash_break_no_other_week() {
    let course = Course::new();
    course.solve("std::process::abort()");
    let check = course.study(&["check", "counting"]);
    has(&check.err, "the checks of `counting` ended without reporting on `double`");
    assert_eq!(check.code, Some(1));
    let progress = course.study(&["progress"]);
    has(&progress.out, "! its checks crash: type `cargo study check counting`\n  ✗ double");
    has(&progress.out, "Week 3 · adding · not started");
    has(
        &course.study(&["verify"]).out,
        "counting  Checks          FAILED   0/1    the checks crash",
    );
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_week_that_can_not_be_checked_now_is_as_it_was() {
    let course = Course::new();
    let adding = course.folder.path().join("chapters/03-adding/src/exercise.rs");
    let stub = fs::read_to_string(&adding).unwrap();
    let solved = stub.replace("todo!()", "2 * (a + b)");
    fs::write(&adding, &solved).unwrap();
    assert_eq!(course.study(&["check", "adding"]).code, Some(0));
    course.solve("\"two\"");
    // Nothing that it is made of has changed.
    has(&course.study(&["progress"]).out, "Week 3 · adding · 1 of 1 work, 1 with edges\n  ✓✓ sum");
    // Now the checks have, as after an update of the course.
    let checks = course.folder.path().join("chapters/03-adding/tests/checks.rs");
    let text = fs::read_to_string(&checks).unwrap();
    fs::write(&checks, text + "// updated\n").unwrap();
    has(
        &course.study(&["progress"]).out,
        "can't be checked while `counting`, which it uses, does not compile; this is how it stood when last checked\n  ✓✓ sum",
    );
    fs::write(&adding, solved + "// changed\n").unwrap();
    let progress = course.study(&["progress"]).out;
    has(&progress, "does not compile\n  ? sum");
    has(&progress, "2 not compiling, 1 not checked.");
    // What is not written needs no check.
    fs::write(&adding, stub + "// changed\n").unwrap();
    has(&course.study(&["progress"]).out, "2 not compiling, 1 pending.");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn nothing_is_compiled_to_tell_what_is_known() {
    let course = Course::new();
    let progress = course.study(&["progress"]);
    has(&progress.out, "0 of 3 exercises work");
    has(&course.study(&["hint", "double"]).out, "hint 1 of 3");
    course.study(&["doctor"]);
    assert!(!course.built(), "{}{}", progress.out, progress.err);

    course.solve("2 * x");
    course.study(&["check", "counting"]);
    fs::remove_dir_all(course.folder.path().join("target")).unwrap();
    has(&course.study(&["progress"]).out, "✓✓ double\n  ○ triple");
    assert!(!course.built());
    // A note in the file is a change, and so is another version of the checks.
    let mine = fs::read_to_string(course.exercise()).unwrap();
    fs::write(course.exercise(), mine + "// a note\n").unwrap();
    has(&course.study(&["progress"]).out, "✓✓ double\n  ○ triple");
    assert!(course.built());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_is_given_stands_in_the_stub() {
    let course = Course::new();
    let adding = course.folder.path().join("chapters/03-adding/src/exercise.rs");
    let stub = fs::read_to_string(adding).unwrap();
    has(
        &stub,
        "//! Helpers you may use, in scope or by the path shown:\n//!\n//! - `double(x: u32) -> u32` (week 2): Twice `x`.\n#![allow",
    );
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_reset_keeps_what_the_learner_wrote() {
    let course = Course::new();
    assert_eq!(course.study(&["reset", "--check"]).code, Some(0));
    has(&course.study(&["reset", "counting"]).out, "nothing was changed");
    assert!(course.backups().is_empty());

    let stub = fs::read_to_string(course.exercise()).unwrap();
    course.solve("x + 3");
    course.solve("3 * x");
    let mine = fs::read_to_string(course.exercise()).unwrap();
    let check = course.study(&["reset", "--check"]);
    has(
        &check.out,
        "chapters/02-counting/src/exercise.rs differs from the stub: type `cargo study reset counting`",
    );
    assert_eq!(check.code, Some(1));

    has(
        &course.study(&["reset", "counting::double"]).out,
        "Your file is kept as chapters/02-counting/src/exercise.backup-",
    );
    let kept = course.backups();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), mine);
    assert_eq!(fs::read_to_string(course.exercise()).unwrap(), mine.replace("x + 3", "todo!()"));

    assert_eq!(course.study(&["reset", "counting"]).code, Some(0));
    assert_eq!(fs::read_to_string(course.exercise()).unwrap(), stub);
    assert_eq!(course.backups().len(), 2);
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_reset_without_marks_changes_nothing() {
    let course = Course::new();
    fs::write(course.exercise(), "pub fn double(x: u32) -> u32 { x }\n").unwrap();
    let reset = course.study(&["reset", "counting::double"]);
    has(&reset.err, "type `cargo study reset counting` for the whole file");
    assert_eq!(reset.code, Some(1));
    assert!(course.backups().is_empty());
    assert_eq!(
        fs::read_to_string(course.exercise()).unwrap(),
        "pub fn double(x: u32) -> u32 { x }\n"
    );
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn hints_come_one_by_one() {
    let course = Course::new();
    for (number, hint) in [(1, "to itself"), (2, "Or multiply"), (3, "x * 2"), (3, "x * 2")] {
        let answer = course.study(&["hint", "double"]);
        has(&answer.out, &format!("counting::double · hint {number} of 3"));
        has(&answer.out, hint);
    }
    has(&course.study(&["hint", "counting::double", "1"]).out, "hint 1 of 3");
    has(&course.study(&["hint", "double", "4"]).err, "has hints 1 to 3");
    has(&course.study(&["solution", "double"]).err, "You have seen every hint.");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_mistyped_name_gets_the_nearest() {
    let course = Course::new();
    has(&course.study(&["check", "couting"]).err, "Did you mean `counting`?");
    has(&course.study(&["hint", "counting::duoble"]).err, "Did you mean `counting::double`?");
    has(&course.study(&["hint", "tripel"]).err, "Did you mean `counting::triple`?");
    has(
        &course.study(&["hint", "counting"]).err,
        "name one of its exercises: counting::double, counting::triple",
    );
    has(&course.study(&["watch", "couting"]).err, "Did you mean `counting`?");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_mistyped_training_is_refused_before_anything_is_compiled() {
    let course = Course::new();
    let answer = course.study(&["train", "--task", "sorting"]);
    has(&answer.err, "possible values: copy, reverse, sort");
    assert_eq!(answer.code, Some(2));
    has(&course.study(&["train", "--mine", "--path", "fast"]).err, "cannot be used with");
    has(&course.study(&["train", "--mine"]).err, "there is no chapter `multi-head`");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_mistyped_benchmark_is_refused_before_anything_is_compiled() {
    let course = Course::new();
    let no_python = std::env::var("CARGO").unwrap();
    for (arguments, says, code) in [
        (
            &["--only", "dens"][..],
            "--only dens: no row has that name; type `cargo study bench --list`",
            1,
        ),
        (&["--rounds", "0"], "expected a whole number from 1 to 1024", 2),
        (&["--threads", "1,two"], "expected a whole number from 1 to 1024", 2),
        (&["--device", "gpu"], "possible values: auto, cpu, cuda, metal", 2),
        (&["--torch", "no-such-python"], "--torch no-such-python: can't be started", 1),
        (&["--torch", no_python.as_str()], "`import torch` fails there", 1),
        (&["--json", "nowhere/run.json"], "--json nowhere/run.json: can't be written", 1),
        (&["--page", "nowhere.json"], "--page nowhere.json:", 1),
        (&["--page", "nowhere.json", "--torch", "python3"], "cannot be used with", 2),
    ] {
        let answer = course.study(&[&["bench"], arguments].concat());
        has(&answer.err, says);
        assert_eq!(answer.code, Some(code), "{arguments:?}");
    }
    has(&course.study(&["bench", "--list"]).out, "causal, 2,048 tokens, 8 heads of 64");
    let card = course.study(&["bench", "--list", "--device", "cuda"]).out;
    has(&card, "causal, 2,048 tokens, 16 heads of 64, bf16");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_card_is_not_measured_without_its_compiler() {
    let course = Course::new();
    let output = Command::new(env!("CARGO_BIN_EXE_study"))
        .args(["bench", "--device", "cuda", "--json", "cuda.json"])
        .current_dir(course.folder.path())
        .env("PATH", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    has(&said, "no `nvcc` on the PATH");
    has(&said, "type `cargo study bench`");
    assert!(!course.folder.path().join("cuda.json").exists(), "no empty file is left");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn every_command_shows_an_example() {
    let course = Course::new();
    let commands = [
        "serve",
        "lab",
        "check",
        "watch",
        "hint",
        "solution",
        "reset",
        "progress",
        "verify",
        "train",
        "fetch",
        "visualize",
        "bench",
        "notebooks",
        "doctor",
    ];
    for command in commands {
        has(&course.study(&[command, "--help"]).out, &format!("cargo study {command}"));
        has(&course.study(&[command, "--help"]).out, "Example");
    }
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_model_from_a_folder_must_be_the_right_one() {
    let course = Course::new();
    let folder = course.folder.path().join("mine");
    let from = ["fetch", "minilm", "--from", folder.to_str().unwrap()];
    has(&course.study(&from).err, "vocab.txt`.\nThe folder must hold the files of");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("vocab.txt"), "[PAD]\n").unwrap();
    let answer = course.study(&from);
    has(&answer.err, "vocab.txt`: expected 231508 bytes; got 6");
    assert_eq!(answer.code, Some(1));
    assert!(!course.folder.path().join(".study/models").exists());
    let left = fs::read_dir(course.folder.path().join(".study/tmp")).unwrap();
    assert!(left.flatten().all(|entry| !entry.path().is_dir()));
    has(&course.study(&["fetch", "bert"]).err, "minilm");
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn outside_the_course_it_says_where_to_go() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_study"))
        .arg("progress")
        .current_dir(nowhere.path())
        .output()
        .unwrap();
    has(&String::from_utf8_lossy(&output.stderr), "run this inside the course's repository");
    assert_eq!(output.status.code(), Some(1));
}
