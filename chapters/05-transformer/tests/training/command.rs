//! The program `train`, as `cargo study train` runs it.

#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
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
    has(
        &other.stderr,
        "is of a training with lengths 1..=2, batch 2, steps 2; you asked for lengths 10, batch 32, steps 500.",
    );
    has(
        &other.stderr,
        "cargo study train --norm post --lengths 1..=2 --batch 2 --steps 2 --checkpoint",
    );
    assert_eq!(other.status.code(), Some(1));
}

#[test]
fn what_cannot_be_done_is_said_at_once() {
    let home = tempfile::tempdir().unwrap();
    let notes = home.path().join("notes.md");
    fs::write(&notes, "# What I learnt").unwrap();
    for (arguments, expected, code) in [
        (&["--device", "cuda"][..], "this program computes on the CPU only", 2),
        (&["--lengths", "ten"], "'--lengths <N|N..=N>': expected a number from 1", 2),
        (&["--lengths", "1..20"], "or two as in `1..=20`, both included", 2),
        (&["--batch", "0"], "expected a whole number from 1 to 1000000", 2),
        (&["--batch", "-1"], "expected a whole number from 1 to 1000000", 2),
        (&["--lengths", "1000"], "--batch 32: expected at most 16 with", 1),
        (&["--resume"], "copy-pre-readable.safetensors`: train without --resume", 1),
        (&["--checkpoint", "."], "--checkpoint .: that is a folder", 1),
        (&["--checkpoint", "notes.md"], "`notes.md` is no checkpoint, and is left", 1),
        (&["--checkpoint", "notes.md/x"], "`notes.md` is a file, and no folder", 1),
        (&["--json", "notes.md"], "a file of another kind is there", 1),
        (&["--json", "none/x.json"], "--json none/x.json: can't be written", 1),
    ] {
        let answer = train(&home, arguments);
        has(&answer.stderr, expected);
        assert_eq!(answer.status.code(), Some(code), "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(notes).unwrap(), "# What I learnt");
}

/// Where a training is saved unless it is told otherwise.
fn own(home: &TempDir) -> PathBuf {
    home.path().join("checkpoints/copy-pre-readable.safetensors")
}

/// Asks until it is so; a test that waits for what never comes is ended from outside.
fn until(so: impl Fn() -> bool) {
    while !so() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A training that goes on and on, and has been saved.
fn endless(home: &TempDir) -> Child {
    let long = ["--lengths", "1", "--batch", "1", "--steps", "1000000"];
    let mut child = program(home, &[&long[..], &["--save-every", "1"]].concat());
    let child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running =
        home.path().join("checkpoints/.copy-pre-readable.safetensors.running");
    until(|| {
        Checkpoint::load(&own(home))
            .is_ok_and(|saved| saved.settings.steps == 1_000_000)
            && fs::read_to_string(&running).is_ok_and(|process| !process.is_empty())
    });
    child
}

#[test]
fn a_finished_training_outlives_the_next() {
    let home = tempfile::tempdir().unwrap();
    train(&home, &SHORT);
    let finished = fs::read(own(&home)).unwrap();
    let mut child = endless(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = home.path().join("checkpoints/copy-pre-readable.backup-1.safetensors");
    assert_eq!(fs::read(&kept).unwrap(), finished);

    let third = train(&home, &SHORT);
    has(&third.stdout, "of 1000000 steps: it will be kept under another name");
    has(&third.stderr, "The earlier training is kept as checkpoints");
    has(&third.stderr, "copy-pre-readable.backup-2.safetensors.");
    assert_eq!(fs::read(&kept).unwrap(), finished);
    // To go on is no other training.
    train(&home, &[&SHORT[..], &["--resume"]].concat());
    let count = fs::read_dir(home.path().join("checkpoints")).unwrap().flatten();
    let count =
        count.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(count.count(), 3);
}

#[test]
fn a_training_keeps_others_from_its_checkpoint_until_it_ends_or_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let mut child = endless(&home);
    for arguments in [&[][..], &["--resume"]] {
        let second = train(&home, &[&SHORT[..], arguments].concat());
        has(&second.stderr, "belongs to a training that is running: process ");
        has(&second.stderr, &format!("process {}, for ", child.id()));
        let typed = "cargo study train --lengths 1..=2 --batch 2 --steps 2 --checkpoint checkpoints";
        has(&second.stderr, typed);
        has(&second.stderr, "copy-pre-readable-2.safetensors");
        assert_eq!(second.status.code(), Some(1));
    }
    let beside =
        train(&home, &[&SHORT[..], &["--checkpoint", "2.safetensors"]].concat());
    assert_eq!(beside.status.code(), Some(0));
    has(&beside.stdout, "loss-2.svg");
    // No clean-up: the system gives back what a killed process held.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(train(&home, &SHORT).status.code(), Some(0));
}

/// The program where no file may become larger than 200 KB, as on a disk that is nearly full.
#[cfg(unix)]
fn full(home: &TempDir, arguments: &[&str]) -> Command {
    let limited = "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"";
    let plain = program(home, arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", limited]).arg(plain.get_program()).args(plain.get_args());
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(home.path());
    shell
}

#[cfg(unix)]
#[test]
fn a_full_disk_takes_nothing_and_no_checkpoint_is_named_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let none = full(&home, &SHORT).output().unwrap();
    has(&none.stdout, "of 1,000 newly drawn sequences");
    has(&none.stderr, "can't write the checkpoint");
    has(&none.stderr, "No checkpoint of this training is there. Make room");
    assert!(!String::from_utf8_lossy(&none.stdout).contains("Checkpoint:"));
    assert_eq!(none.status.code(), Some(1));
    assert!(!own(&home).exists());

    train(&home, &SHORT);
    let finished = fs::read(own(&home)).unwrap();
    let again = full(&home, &SHORT).output().unwrap();
    has(
        &again.stderr,
        "copy-pre-readable.safetensors still holds the earlier training",
    );
    assert_eq!(fs::read(own(&home)).unwrap(), finished);
    assert!(
        !own(&home).with_file_name("copy-pre-readable.backup-1.safetensors").exists()
    );

    let mut child = endless(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    let step = Checkpoint::load(&own(&home)).unwrap().step;
    let long = ["--lengths", "1", "--batch", "1", "--steps", "1000000"];
    let mut command =
        full(&home, &[&long[..], &["--save-every", "1", "--resume"]].concat());
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told =
        BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = told.find(|line| line.contains("warning: ")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    has(told.as_bytes(), &format!("still holds step {step} of 1000000. Make room"));
    has(
        told.as_bytes(),
        "To go on from that step: cargo study train --lengths 1 --batch 1 --steps 1000000 --save-every 1 --resume",
    );
    assert_eq!(Checkpoint::load(&own(&home)).unwrap().step, step);
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
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
