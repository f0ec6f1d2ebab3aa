//! Ctrl-C, `kill` and a closed terminal end `study` with all that it runs, and leave nothing behind.
#![cfg(unix)]

mod course;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use course::{Course, has};

/// The signals, their numbers, and the exit codes that a shell expects after them.
const SIGNALS: [(&str, u32, i32); 3] = [("INT", 2, 130), ("TERM", 15, 143), ("HUP", 1, 129)];

/// The signals that a program which this one starts can hear: what is ignored here (a test under `nohup`, or behind a
/// shell's `&`) is ignored there, and is meant to be.
fn signals() -> impl Iterator<Item = (&'static str, i32)> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let heard = move |number: u32| ignored >> (number - 1) & 1 == 0;
    SIGNALS
        .into_iter()
        .filter(move |&(_, number, _)| heard(number))
        .map(|(name, _, code)| (name, code))
}

/// A net below what should take a few seconds.
const NET: Duration = Duration::from_secs(300);

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < NET, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A study that runs; it and its group are killed with this value.
struct Running {
    child: Child,
    /// Where its temporary folders are.
    temporary: tempfile::TempDir,
}

impl Running {
    /// In a group of its own, as a shell starts it.
    fn start(mut command: Command) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let log = File::create(temporary.path().with_extension("log")).unwrap();
        command.env("TMPDIR", temporary.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().unwrap(), temporary }
    }

    /// What it wrote to standard error.
    fn said(&self) -> String {
        fs::read_to_string(self.temporary.path().with_extension("log")).unwrap()
    }

    fn tell(&self, signal: &str) {
        kill(signal, &self.child.id().to_string());
    }

    /// As a terminal does it: to the whole group.
    fn tell_group(&self, signal: &str) {
        kill(signal, &format!("-{}", self.child.id()));
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("study has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_group("KILL");
        // Both may be gone already.
        let _ = self.child.wait();
        let _ = fs::remove_file(self.temporary.path().with_extension("log"));
    }
}

/// By the shell: not every system has a program for it.
fn kill(signal: &str, whom: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -s \"$0\" -- \"$1\"", signal, whom]).stderr(Stdio::null());
    shell.status().unwrap().success()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// Rust that holds a lock as long as its process lives, and never ends.
fn endless(held: &Path) -> String {
    format!(
        "let held = std::fs::File::create({held:?}).unwrap(); held.lock().unwrap(); \
         std::fs::write({ready:?}, \"\").unwrap(); loop {{ std::hint::spin_loop() }}",
        ready = held.with_extension("ready")
    )
}

/// Whether the process that [`endless`] runs in is gone. A file is asked, for in a container nobody may bury the dead.
fn is_gone(held: &Path) -> bool {
    File::open(held).unwrap().try_lock().is_ok()
}

/// Starts a check in which something never ends, sends it each signal, and sees that all has ended.
fn all_ends(course: &Course, held: &Path, place: impl Fn()) {
    for (signal, code) in signals() {
        place();
        let mut study = Running::start(course.command(&["check", "counting"]));
        let ready = held.with_extension("ready");
        wait_until("something endless runs", || ready.exists());
        assert!(!is_gone(held));
        study.tell(signal);
        assert_eq!(study.ended().code(), Some(code), "{signal}: {}", study.said());
        has(&study.said(), "Stopped. Nothing is left half done");
        wait_until("what it ran has ended", || is_gone(held));
        let home = course.folder.path().join(".study/tmp");
        for folder in [study.temporary.path(), &home] {
            let left = folders_in(folder);
            assert!(left.is_empty(), "{signal}: {left:?}");
        }
        fs::remove_file(ready).unwrap();
    }
}

/// Whether another check can compile.
fn build_is_free(course: &Course) {
    let mut study = Running::start(course.command(&["check", "adding"]));
    assert_eq!(study.ended().code(), Some(0), "{}", study.said());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn an_endless_loop_ends_with_study() {
    let course = Course::new();
    let held = course.folder.path().join("held");
    course.solve(&endless(&held));
    all_ends(&course, &held, || ());
    build_is_free(&course);
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_build_ends_with_study() {
    let course = Course::new();
    let held = course.folder.path().join("held");
    let script = course.folder.path().join("chapters/02-counting/build.rs");
    all_ends(&course, &held, || {
        fs::write(&script, format!("fn main() {{ {} }}\n", endless(&held))).unwrap();
    });
    fs::remove_file(script).unwrap();
    build_is_free(&course);
}

/// A `cargo` that builds at once, and whose programs do what the script says.
fn programs(course: &Course, script: &str) -> Command {
    let cargo = course.folder.path().join("cargo");
    let all = format!(
        "#!/bin/sh\n[ \"$1\" = run ] || exit 0\ncd '{}'\n{script}\n",
        course.folder.path().display()
    );
    fs::write(&cargo, all).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = course.command(&["bench"]);
    command.env("CARGO", cargo);
    command
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_program_of_the_foreground_ends_with_study() {
    let course = Course::new();
    let ready = course.folder.path().join("ready");
    for (signal, code) in signals().filter(|&(signal, _)| signal != "INT") {
        let mut study =
            Running::start(programs(&course, "echo $$ >pid; mv pid ready; exec sleep 1000"));
        wait_until("the program runs", || ready.exists());
        let program = fs::read_to_string(&ready).unwrap();
        study.tell(signal);
        assert_eq!(study.ended().code(), Some(code), "{signal}: {}", study.said());
        // Study waited for it, so it is not even a zombie.
        assert!(!kill("0", program.trim()), "{signal}");
        fs::remove_file(&ready).unwrap();
    }
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_program_of_the_foreground_may_save_first() {
    let course = Course::new();
    let [ready, saved] = ["ready", "saved"].map(|name| course.folder.path().join(name));
    let saves = "trap 'echo >saved; exit 3' INT; echo >ready; while :; do sleep 0.1; done";
    let mut study = Running::start(programs(&course, saves));
    wait_until("the program runs", || ready.exists());
    study.tell("TERM");
    assert_eq!(study.ended().code(), Some(143), "{}", study.said());
    assert!(saved.exists());
    if !signals().any(|(signal, _)| signal == "INT") {
        println!("SKIPPED: whoever started this test ignores Ctrl-C, and so does what it starts");
        return;
    }
    // Ctrl-C is the program's own.
    for file in [&ready, &saved] {
        fs::remove_file(file).unwrap();
    }
    let mut study = Running::start(programs(&course, saves));
    wait_until("the program runs", || ready.exists());
    study.tell_group("INT");
    assert_eq!(study.ended().code(), Some(3), "{}", study.said());
    assert!(saved.exists());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_study_that_is_to_outlive_its_terminal_does() {
    let course = Course::new();
    let [ready, go] = ["ready", "go"].map(|name| course.folder.path().join(name));
    let bench = programs(&course, "echo >ready; until [ -e go ]; do sleep 0.1; done; exit 4");
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(bench.get_program());
    nohup.args(bench.get_args()).current_dir(bench.get_current_dir().unwrap());
    for (name, value) in bench.get_envs() {
        match value {
            Some(value) => nohup.env(name, value),
            None => nohup.env_remove(name),
        };
    }
    let mut study = Running::start(nohup);
    wait_until("the program runs", || ready.exists());
    study.tell_group("HUP");
    fs::write(go, "").unwrap();
    assert_eq!(study.ended().code(), Some(4), "{}", study.said());
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn whoever_waits_for_an_installation_can_be_stopped() {
    if !signals().any(|(signal, _)| signal == "INT") {
        println!("SKIPPED: whoever started this test ignores Ctrl-C, and so does what it starts");
        return;
    }
    let course = Course::new();
    let home = course.folder.path().join(".study");
    fs::create_dir_all(&home).unwrap();
    let other = File::create(home.join("install.lock")).unwrap();
    other.lock().unwrap();
    let from = course.folder.path().to_str().unwrap().to_owned();
    let mut study = Running::start(course.command(&["fetch", "minilm", "--from", &from]));
    wait_until("it waits", || study.said().contains("Waiting for another `cargo study`"));
    study.tell("INT");
    assert_eq!(study.ended().code(), Some(130), "{}", study.said());
}

/// Jupyter starts it in a session of its own, where neither Ctrl-C nor a closed terminal reaches it.
#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_kernel_does_not_outlive_jupyter() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("SKIPPED: there is no python3");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [kernel, held, ready, launch] =
        ["kernel", "held", "ready", "launch.py"].map(|name| folder.path().join(name));
    let endless = format!(
        "#!/usr/bin/env python3\nimport fcntl, time\nheld = open({held:?}, 'w')\n\
         fcntl.flock(held, fcntl.LOCK_EX)\nopen({ready:?}, 'w').close()\ntime.sleep(1000)\n"
    );
    fs::write(&kernel, endless).unwrap();
    fs::set_permissions(&kernel, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&launch, include_str!("../src/tools/launch.py")).unwrap();
    let starts = "import subprocess, sys, time\n\
                  subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session=True)\ntime.sleep(1000)\n";
    let mut jupyter = Command::new("python3");
    jupyter.args(["-c", starts]).args([&launch, &kernel, &folder.path().join("kernels")]);
    let mut jupyter = jupyter.arg("connection").spawn().unwrap();
    wait_until("the kernel runs", || ready.exists());
    assert!(!is_gone(&held));
    jupyter.kill().unwrap();
    jupyter.wait().unwrap();
    wait_until("the kernel has ended", || is_gone(&held));
}
