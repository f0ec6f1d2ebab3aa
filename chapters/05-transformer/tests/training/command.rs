//! The program `train`, as `cargo study train` runs it.

use std::{
    fs,
    process::{Command, Output},
};
use tempfile::TempDir;
use transformer::checkpoint::Checkpoint;

fn program(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
    command.args(arguments).current_dir(home.path()).env("STUDY_HOME", home.path());
    command
        .env("CARGO_MANIFEST_DIR", home.path().join("chapters").join("05-transformer"));
    command
}

fn train(home: &TempDir, arguments: &[&str]) -> Output {
    program(home, arguments).output().unwrap()
}

#[track_caller]
fn has(text: &[u8], part: &str) {
    let text = String::from_utf8_lossy(text);
    assert!(text.contains(part), "`{part}` is not in:\n{text}");
}

const SHORT: [&str; 6] = ["--lengths", "1..=2", "--batch", "2", "--steps", "2"];

#[test]
fn a_training_leaves_checkpoint_figure_and_json() {
    let home = tempfile::tempdir().unwrap();
    let answer = train(
        &home,
        &[&SHORT[..], &["--json", "result.json", "--norm", "post"]].concat(),
    );
    has(&answer.stdout, "Device: cpu (auto");
    has(&answer.stdout, "of 1,000 newly drawn sequences");
    has(&answer.stderr, "step 2 of 2: loss");
    assert_eq!(answer.status.code(), Some(0));
    let file = home.path().join("checkpoints/copy-post-readable.safetensors");
    assert_eq!(Checkpoint::load(&file).unwrap().step, 2);
    let figure =
        home.path().join("target/figures/05-transformer/loss-copy-post-readable.svg");
    assert!(fs::read_to_string(figure).unwrap().contains("<svg"));
    let json = fs::read_to_string(home.path().join("result.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["steps"], &json["threads"]), (&2.into(), &2.into()));
    assert_eq!(
        (&json["device"], &json["settings"]["batch"]),
        (&"cpu".into(), &2.into())
    );
    for number in ["seconds", "target_tokens_per_second", "final_loss", "exact_match"] {
        assert!(json[number].is_number(), "{number}: {json}");
    }

    let again = train(&home, &[&SHORT[..], &["--norm", "post", "--resume"]].concat());
    has(&again.stdout, "Resuming after step 2");
    let other = train(&home, &["--norm", "post", "--resume"]);
    has(&other.stderr, "made with batch = 2, and you ask for 32");
    assert_eq!(other.status.code(), Some(1));
}

#[test]
fn what_cannot_be_done_is_said_at_once() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, expected, code) in [
        (&["--device", "cuda"][..], "this program computes on the CPU only", 2),
        (&["--lengths", "ten"], "or two as in `1..=20`, both included; got `ten`", 2),
        (
            &["--lengths", "1..20"],
            "or two as in `1..=20`, both included; got `1..20`",
            2,
        ),
        (&["--lengths", "0"], "--lengths: expected 1 to 1000000", 2),
        (&["--batch", "0"], "--batch: expected 1 to 1000000", 2),
        (
            &["--lengths", "1..=18446744073709551615"],
            "--lengths: expected 1 to 1000000",
            2,
        ),
        (&["--batch", "1000000000000000000"], "--batch: expected 1 to 1000000", 2),
        (&["--resume"], "there is no checkpoint", 1),
        (&["--checkpoint", "."], "can't write the checkpoint", 1),
    ] {
        let answer = train(&home, arguments);
        has(&answer.stderr, expected);
        assert_eq!(answer.status.code(), Some(code), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let home = tempfile::tempdir().unwrap();
    let long = ["--lengths", "1", "--batch", "1", "--steps", "1000"];
    let mut child = program(&home, &long)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first line about a step: the training listens by then.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    has(lines.next().unwrap().unwrap().as_bytes(), "step 100 of 1000");
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let answer = child.wait_with_output().unwrap();
    assert_eq!(answer.status.code(), Some(130));
    has(&answer.stdout, "saved in checkpoints");
    has(
        &answer.stdout,
        "To continue: cargo study train --lengths 1 --batch 1 --steps 1000 --resume",
    );
    let file = home.path().join("checkpoints/copy-pre-readable.safetensors");
    assert!(Checkpoint::load(&file).unwrap().step >= 100);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_what_follows_the_training() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use std::{thread, time::Duration};

    let home = tempfile::tempdir().unwrap();
    let slow = ["--lengths", "200", "--batch", "1", "--steps", "1", "--no-checkpoint"];
    let mut child = program(&home, &slow)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    has(lines.next().unwrap().unwrap().as_bytes(), "step 1 of 1");
    // Thousands of tokens are written now, one by one: none of that is waited for.
    let pid = child.id().to_string();
    let status = loop {
        Command::new("kill").args(["-INT", &pid]).status().unwrap();
        thread::sleep(Duration::from_millis(100));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(status.code(), Some(130));
}
