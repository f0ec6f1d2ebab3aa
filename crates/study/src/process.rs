//! Running other programs.

use std::io::{BufReader, Read};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use process_wrap::std::{ChildWrapper, CommandWrap};

use crate::interrupt;

/// How a program ended and what it wrote.
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Everything it wrote, standard error first, trimmed.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stderr.trim(), self.stdout.trim()).trim().to_owned()
    }

    /// An error, `what` with the end of what it wrote, unless it succeeded.
    pub fn succeed(&self, what: &str) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let output = self.output();
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        bail!("{what}:\n  {}", lines[lines.len().saturating_sub(15)..].join("\n  "))
    }
}

enum Piece {
    Out(String),
    Err(String),
}

/// Runs `command` and hands every line of its output, and everything it ended with a carriage return, to `on_line`.
///
/// Ctrl-C, and being told to end, ends the program with all its children and returns [`interrupt::Interrupted`].
pub fn run(mut command: Command, on_line: impl FnMut(&str)) -> Result<Finished> {
    command.stderr(Stdio::piped());
    attend(command, on_line)
}

/// As [`run`], for a program whose output is for this one, and whose standard error is shown as it comes.
pub fn run_shown(mut command: Command) -> Result<Finished> {
    command.stderr(Stdio::inherit());
    attend(command, |_| ())
}

fn attend(mut command: Command, mut on_line: impl FnMut(&str)) -> Result<Finished> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = Running::start(command, group)?;
    let (sender, receiver) = channel();
    if let Some(stdout) = running.child.stdout().take() {
        forward(stdout, sender.clone(), Piece::Out);
    }
    if let Some(stderr) = running.child.stderr().take() {
        forward(stderr, sender.clone(), Piece::Err);
    }
    drop(sender);
    let (mut stdout, mut stderr) = (String::new(), String::new());
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(piece) => {
                let (text, all) = match &piece {
                    Piece::Out(text) => (text, &mut stdout),
                    Piece::Err(text) => (text, &mut stderr),
                };
                all.push_str(text);
                on_line(text.trim_end_matches(['\r', '\n']));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        interrupt::check()?;
    }
    // A program may close its outputs before it ends.
    let status = loop {
        if let Some(status) = running.status()? {
            break status;
        }
        interrupt::check()?;
        std::thread::sleep(LOOK);
    };
    Ok(Finished { status, stdout, stderr })
}

/// Runs `command` in the foreground: it owns the terminal, and Ctrl-C is its own to handle. Told to end otherwise, it ends
/// with this program, which returns [`interrupt::Interrupted`].
pub fn foreground(command: Command) -> Result<ExitStatus> {
    let mut running = Running::start(command, CommandWrap::from)?;
    loop {
        if let Some(status) = running.status()? {
            return if interrupt::dismissed() {
                Err(interrupt::Interrupted.into())
            } else {
                Ok(status)
            };
        }
        if interrupt::dismissed() {
            running.dismiss();
            return Err(interrupt::Interrupted.into());
        }
        std::thread::sleep(LOOK);
    }
}

/// The exit code of a program, for this one.
pub fn same(status: ExitStatus) -> ExitCode {
    match status.code().map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        Some(Err(_)) => ExitCode::FAILURE,
        None => ExitCode::from(interrupt::code_of(signal_of(status))),
    }
}

/// The number of the signal that ended a program, or 0.
#[cfg(unix)]
fn signal_of(status: ExitStatus) -> usize {
    use std::os::unix::process::ExitStatusExt;
    status.signal().and_then(|signal| usize::try_from(signal).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> usize {
    0
}

/// What `program` prints for `arguments`, or nothing when there is no such program or it fails.
pub fn ask(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// In a group of its own, a program and its children can be ended together.
fn group(command: Command) -> CommandWrap {
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::std::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::std::JobObject);
    command
}

/// How long to wait between two looks at a child.
const LOOK: Duration = Duration::from_millis(20);

/// How long a child that was told to end may take.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(4);

/// What Ctrl-C sends, on every Unix.
#[cfg(unix)]
const SIGINT: i32 = 2;

/// What `kill` sends, on every Unix.
#[cfg(unix)]
const SIGTERM: i32 = 15;

/// A child. It does not outlive this value, whatever happens.
struct Running {
    child: Box<dyn ChildWrapper>,
    name: String,
    over: bool,
}

impl Running {
    fn start(command: Command, wrap: fn(Command) -> CommandWrap) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = wrap(command).spawn().with_context(|| format!("can't start `{name}`"))?;
        Ok(Self { child, name, over: false })
    }

    /// How it ended, if it has.
    fn status(&mut self) -> Result<Option<ExitStatus>> {
        let status =
            self.child.try_wait().with_context(|| format!("lost sight of `{}`", self.name))?;
        self.over |= status.is_some();
        Ok(status)
    }

    /// Whether it ends by itself within `time`.
    fn ends_within(&mut self, time: Duration) -> bool {
        let asked = Instant::now();
        while matches!(self.status(), Ok(None)) {
            if asked.elapsed() > time {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Ends a program of the foreground, which may have to save something first.
    fn dismiss(&mut self) {
        // Whoever told this program to end has likely told that one; told twice, it might save nothing.
        let over = self.ends_within(Duration::from_secs(1));
        #[cfg(unix)]
        let over = over
            || [SIGINT, SIGTERM]
                .into_iter()
                .any(|signal| self.child.signal(signal).is_ok() && self.ends_within(GRACE));
        if !over {
            self.kill();
        }
    }

    /// Ends it and its children, which may first end by themselves.
    fn end(&mut self) {
        #[cfg(unix)]
        if self.child.signal(SIGINT).is_ok() {
            self.ends_within(GRACE);
        }
        self.kill();
    }

    fn kill(&mut self) {
        // Nothing is left to be said to a child that can't be killed because it has ended.
        let _ = self.child.kill();
        self.over = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.end();
        }
    }
}

fn forward(from: impl Read + Send + 'static, to: Sender<Piece>, piece: fn(String) -> Piece) {
    std::thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(from).bytes().map_while(Result::ok) {
            line.push(byte);
            if matches!(byte, b'\n' | b'\r') {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if to.send(piece(text)).is_err() {
                    return;
                }
            }
        }
        if !line.is_empty() {
            // The receiver may have stopped listening; then nobody wants the rest.
            let _ = to.send(piece(String::from_utf8_lossy(&line).into_owned()));
        }
    });
}
