//! Slips in options, and files whose lines end otherwise: refused, or kept, before anything is compiled.

mod course;

use std::fs;

use course::{Course, has};

/// The learner's files as git and editors on Windows write them.
fn on_windows(course: &Course) -> String {
    for file in ["exercise.rs", "solution.rs"] {
        let path = course.exercise().with_file_name(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    }
    fs::read_to_string(course.exercise()).unwrap()
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn an_untouched_file_is_unsolved_whatever_its_line_ends() {
    let course = Course::new();
    let solution = fs::read_to_string(course.exercise().with_file_name("solution.rs")).unwrap();
    let stub = on_windows(&course);
    // Both files from Windows, and only the learner's.
    for solution in [solution.replace('\n', "\r\n"), solution] {
        fs::write(course.exercise().with_file_name("solution.rs"), solution).unwrap();
        let check = course.study(&["reset", "--check"]);
        assert_eq!(check.code, Some(0), "{}", check.out);
        has(&course.study(&["reset", "counting"]).out, "nothing was changed");
        has(&course.study(&["reset", "counting::double"]).out, "nothing was changed");
        has(&course.study(&["progress"]).out, "0 of 3 exercises work");
    }
    assert!(course.backups().is_empty() && !course.built());
    assert_eq!(fs::read_to_string(course.exercise()).unwrap(), stub);
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_reset_keeps_the_file_s_own_line_ends() {
    let course = Course::new();
    let solution = fs::read_to_string(course.exercise().with_file_name("solution.rs")).unwrap();
    let stub = on_windows(&course);
    fs::write(course.exercise().with_file_name("solution.rs"), solution).unwrap();
    let (open, solved) = ("    todo!()\r\n", "    3 * x\r\n");
    let mine = stub.replace(open, solved);
    for (name, expected) in [
        ("counting::double", mine.replacen(solved, open, 1)),
        ("counting::triple", stub.replacen(open, solved, 1)),
        ("counting", stub.clone()),
    ] {
        fs::write(course.exercise(), &mine).unwrap();
        assert_eq!(course.study(&["reset", name]).code, Some(0));
        assert_eq!(fs::read_to_string(course.exercise()).unwrap(), expected, "{name}");
    }
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_was_checked_stays_known_when_line_ends_change() {
    let course = Course::new();
    course.solve("2 * x");
    assert_eq!(course.study(&["check", "counting"]).code, Some(0));
    fs::remove_dir_all(course.folder.path().join("target")).unwrap();
    let mine = on_windows(&course);
    has(&course.study(&["progress"]).out, "✓✓ double\n  ○ triple");
    assert!(!course.built());
    assert_eq!(fs::read_to_string(course.exercise()).unwrap(), mine);
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_training_that_can_not_be_is_refused_before_anything_is_compiled() {
    let course = Course::new();
    let notes = course.folder.path().join("notes.md");
    fs::write(&notes, "# What I learnt").unwrap();
    let notes = notes.to_str().unwrap();
    for (arguments, says, code) in [
        (&["--batch", "0"][..], "'--batch <N>': expected a whole number from 1", 2),
        (&["--batch", "-1"], "'--batch <N>': expected a whole number from 1", 2),
        (&["--steps", "0"], "'--steps <N>': expected a whole number from 1", 2),
        (&["--lengths", "1..20"], "or two as in `1..=20`, both included", 2),
        (&["--rate", "-1e-3"], "expected a number above 0", 2),
        (&["--dropout", "1"], "expected a probability from 0 on, below 1", 2),
        (&["--threads", "many"], "expected a whole number from 1 to 1024", 2),
        (&["--lengths", "1000"], "--batch 32: expected at most 16", 1),
        (&["--checkpoint", "."], "--checkpoint .: that is a folder", 1),
        (&["--json", notes], "a file of another kind is there", 1),
        (&["--json", "."], "--json .: that is a folder", 1),
        (&["--device", "cuda"], "computes on the CPU only; type --device cpu", 1),
        (&["--resume"], "copy-pre-readable.safetensors`: train without --resume first", 1),
    ] {
        let answer = course.study(&[&["train"], arguments].concat());
        has(&answer.err, says);
        assert_eq!(answer.code, Some(code), "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(notes).unwrap(), "# What I learnt");
    assert!(!course.built());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn every_number_that_is_none_is_told_what_would_fit() {
    let course = Course::new();
    for (arguments, says) in [
        (&["hint", "double", "0"][..], "`counting::double` has hints 1 to 3"),
        (&["hint", "double", "-1"], "`counting::double` has hints 1 to 3"),
        (&["hint", "double", "two"], "expected the number of a hint, such as 1"),
        (&["bench", "--rounds", "-1"], "expected a whole number from 1 to 1024"),
        (&["bench", "--threads", "-1,2"], "expected a whole number from 1 to 1024"),
        (&["bench", "--page", "."], "--page .: that is a folder"),
        (&["bench", "--json", "."], "--json .: that is a folder"),
        (&["check", ""], "there is no chapter or exercise ``"),
        (&["check", "-1"], "unexpected argument '-1'"),
        (&["fetch", "minilm", "--from", "nowhere"], "there is no `nowhere"),
    ] {
        let answer = course.study(arguments);
        has(&answer.err, says);
        assert!(matches!(answer.code, Some(1 | 2)), "{arguments:?}");
    }
    assert!(!course.built());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_picture_that_can_not_be_is_refused_before_anything_is_compiled() {
    let course = Course::new();
    for (arguments, says, code) in [
        (&[][..], "type `cargo study fetch minilm` first", 1),
        (&["--model", "copy"], "type `cargo study train --task copy` first", 1),
        (&["--model", "none"], "--model none: there is no such file; expected minilm, copy", 1),
        (&["--model", "induction", "--layer", "9"], "--layer: expected 0 to 1; got 9", 1),
        (&["--layer", "-1"], "'--layer <N>': expected a whole number from 0", 2),
        (&["--model", "induction", "--text", ""], "--text: expected 1 to 32 words", 1),
    ] {
        let answer = course.study(&[&["visualize"], arguments].concat());
        has(&answer.err, says);
        assert_eq!(answer.code, Some(code), "{arguments:?}");
    }
    assert!(!course.built());
}

/// A program in the place of the one that draws: it says something, and waits for an answer.
#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_the_drawing_program_says_is_shown_as_it_comes() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let course = Course::new();
    let package = |folder: &str, name: &str, binary: &str, code: &str| {
        let folder = course.folder.path().join(folder);
        fs::create_dir_all(folder.join("src/bin")).unwrap();
        let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        let workspace = if name == "to-png" { "[workspace]\n" } else { "" };
        fs::write(folder.join("Cargo.toml"), manifest + workspace).unwrap();
        fs::write(folder.join("src/bin").join(binary).with_extension("rs"), code).unwrap();
    };
    let draw = "fn main() {
        eprintln!(\"Training a model first.\");
        while !std::path::Path::new(\"go\").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        eprintln!(\"error: no picture today\");
        std::process::exit(1)
    }";
    package("chapters/04-inside-heads", "inside-heads", "visualize", draw);
    package("tools", "to-png", "to-png", "fn main() {}");
    let mut command = course.command(&["visualize", "--model", "induction"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let heard = lines.by_ref().inspect(|line| println!("{line}"));
    assert!({ heard }.any(|line| line == "Training a model first."), "it is heard while it waits");
    fs::write(course.folder.path().join("chapters/go"), "").unwrap();
    assert!(lines.any(|line| line == "error: no picture today"));
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
