//! `study watch` checks once per save, and never without one.

mod course;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use course::{Course, has, with};

/// A net below what should take a few seconds.
const NET: Duration = Duration::from_secs(300);

/// How long nothing must happen. Too short, and a fault may stay unseen; it never makes one.
const QUIET: Duration = Duration::from_secs(3);

/// A watch that runs, and what it prints, check by check.
struct Watch {
    child: Child,
    checks: Receiver<String>,
}

impl Watch {
    fn start(course: &Course) -> Self {
        let mut command = course.command(&["watch", "counting"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, checks) = channel();
        std::thread::spawn(move || {
            let mut check = String::new();
            for line in lines.map_while(Result::ok) {
                check += &(line.clone() + "\n");
                if line.starts_with("Waiting for you to save")
                    && sender.send(std::mem::take(&mut check)).is_err()
                {
                    return;
                }
            }
        });
        Self { child, checks }
    }

    /// What the next check says.
    #[track_caller]
    fn check(&self) -> String {
        self.checks.recv_timeout(NET).unwrap()
    }

    #[track_caller]
    fn no_check(&self) {
        if let Ok(check) = self.checks.recv_timeout(QUIET) {
            panic!("nothing was saved:\n{check}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn one_check_a_save_and_none_without() {
    let course = Course::new();
    let stub = fs::read_to_string(course.exercise()).unwrap();
    course.solve("\"two\"");
    let watch = Watch::start(&course);
    // It does not compile: that is said on standard error.
    watch.check();
    watch.no_check();

    // Read, opened and written as it was; and what editors put beside it.
    let broken = fs::read_to_string(course.exercise()).unwrap();
    fs::write(course.exercise(), &broken).unwrap();
    for name in [".exercise.rs.swp", "4913", "exercise.rs~"] {
        fs::write(course.exercise().with_file_name(name), &broken).unwrap();
    }
    watch.no_check();

    // Another file in its place, with the other line endings.
    let solved = with(&stub, "2 * x").replace('\n', "\r\n");
    let new = course.exercise().with_file_name("4913");
    fs::write(&new, solved).unwrap();
    fs::rename(new, course.exercise()).unwrap();
    has(&watch.check(), "✓✓ double\n  ○ triple");
    watch.no_check();
}

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn what_is_saved_during_a_check_is_checked_after_it_once() {
    let course = Course::new();
    let stub = fs::read_to_string(course.exercise()).unwrap();
    let [runs, go] = ["runs", "go"].map(|name| course.folder.path().join(name));
    let watch = Watch::start(&course);
    watch.check();
    let waits = format!(
        "std::fs::write({runs:?}, \"\").unwrap(); \
         while !std::path::Path::new({go:?}).exists() {{ std::thread::yield_now() }} x"
    );
    fs::write(course.exercise(), with(&stub, &waits)).unwrap();
    let started = Instant::now();
    while !runs.exists() {
        assert!(started.elapsed() < NET, "the check does not run");
        std::thread::sleep(Duration::from_millis(20));
    }
    for answer in ["x + 1", "x + 2", "2 * x"] {
        fs::write(course.exercise(), with(&stub, answer)).unwrap();
    }
    fs::write(go, "").unwrap();
    has(&watch.check(), "✗ double");
    has(&watch.check(), "✓✓ double");
    watch.no_check();
}
