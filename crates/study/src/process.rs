//! Running other programs.

use std::io::{BufReader, Read};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

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
/// Ctrl-C ends the program with all its children and returns [`interrupt::Interrupted`].
pub fn run(mut command: Command, mut on_line: impl FnMut(&str)) -> Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = group(command).spawn().with_context(|| format!("can't start `{name}`"))?;
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout().take() {
        forward(stdout, sender.clone(), Piece::Out);
    }
    if let Some(stderr) = child.stderr().take() {
        forward(stderr, sender, Piece::Err);
    }
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
        if interrupt::pressed() {
            end(child.as_mut());
            return Err(interrupt::Interrupted.into());
        }
    }
    // A program may close its outputs before it ends.
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("lost sight of `{name}`"))? {
            break status;
        }
        if interrupt::pressed() {
            end(child.as_mut());
            return Err(interrupt::Interrupted.into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Ok(Finished { status, stdout, stderr })
}

/// Runs `command` in the foreground: it owns the terminal, and Ctrl-C is its own to handle.
pub fn foreground(mut command: Command) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.status().with_context(|| format!("can't start `{name}`"))
}

/// The exit code of a program, for this one.
pub fn same(status: ExitStatus) -> ExitCode {
    match status.code().map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        Some(Err(_)) => ExitCode::FAILURE,
        None => ExitCode::from(interrupt::EXIT_CODE), // ended by a signal
    }
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

fn end(child: &mut dyn ChildWrapper) {
    #[cfg(unix)]
    {
        /// The number of SIGINT, what Ctrl-C sends, on every Unix.
        const SIGINT: i32 = 2;
        /// How long an interrupted child may take to end by itself.
        const GRACE: Duration = Duration::from_secs(4);
        let asked = std::time::Instant::now();
        if child.signal(SIGINT).is_ok() {
            while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    // Nothing is left to be said to a child that can't be killed because it has ended.
    let _ = child.kill();
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
