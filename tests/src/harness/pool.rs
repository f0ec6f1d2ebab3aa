//! Processes in which answers are tried: as many as are needed at a time, and another one after each that an answer ended.

use super::{
    child, ending,
    line::{Answerer, Line},
    seen::Seen,
    stream::{Piece, Splitter},
    trace::Mark,
};
use std::{
    env,
    hash::{BuildHasher, RandomState},
    io::{self, PipeReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// How long to wait between two looks at a process that says nothing.
const LOOK: Duration = Duration::from_millis(50);

/// The variable that says how many threads candle computes on.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The processes.
pub(super) struct Pool {
    program: PathBuf,
    /// Stands before each mark.
    start: String,
    /// How long one answer may run.
    limit: Option<Duration>,
    /// Whether all that answers print goes to the terminal.
    echo: bool,
    idle: Mutex<Vec<Helper>>,
}

impl Pool {
    /// None runs yet.
    pub fn new(limit: Option<Duration>, echo: bool) -> io::Result<Self> {
        Ok(Self {
            program: env::current_exe()?,
            // Drawn anew in each run, so that no answer prints it.
            start: format!("\u{1}{:016x} ", RandomState::new().hash_one("start")),
            limit,
            echo,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// What the checks say of an answer. Errors when no process can be started, or when the checks themselves end it.
    pub fn judge(&self, answerer: Answerer) -> io::Result<Line> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let used = idle.is_some();
            let mut helper = match idle {
                Some(helper) => helper,
                None => self.start(false)?,
            };
            let mut seen = Seen::default();
            let ended = match helper.judge(answerer, self.limit, self.echo, &mut seen)? {
                End::Verdict(line) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(helper);
                    let printed = seen.printed(line.told());
                    return Ok(line.with_printed(&printed));
                }
                // It ended before this answer was tried: by what an earlier one left behind.
                End::Ended(_) if used && seen.law().is_empty() => continue,
                End::Ended(_) if seen.tried || seen.law().is_empty() => {
                    return Err(io::Error::other(format!("the checks failed: {}", seen.end())));
                }
                End::Ended(status) => {
                    seen.given = self.inputs(answerer);
                    ending::in_words(status, &seen.end())
                }
                End::Late(limit) => late(limit),
            };
            return Ok(answerer.ended(&ended, seen.law(), &seen.given, &seen.printed_last()));
        }
    }

    /// The inputs on which an answer ends the process. It is tried once more: to print them all is slow.
    fn inputs(&self, answerer: Answerer) -> String {
        let mut seen = Seen::default();
        let again = self
            .start(true)
            .and_then(|mut helper| helper.judge(answerer, self.limit, false, &mut seen));
        match again {
            Ok(End::Ended(_)) if !seen.tried => seen.given,
            // Another time, another end.
            _ => String::new(),
        }
    }

    fn start(&self, inputs: bool) -> io::Result<Helper> {
        // One pipe, so that what is printed and the marks keep their order.
        let (from, to) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command.env(child::START, &self.start);
        if inputs {
            command.env(child::INPUTS, "1");
        }
        // On matrices this small two threads only wait for each other, and several processes run already.
        if env::var_os(THREADS).is_none() {
            command.env(THREADS, "1");
        }
        command.stdin(Stdio::piped()).stdout(to.try_clone()?).stderr(to);
        let mut process = command.spawn()?;
        let names = process.stdin.take();
        // A bound: an answer may print faster than it is read.
        let (sender, pieces) = sync_channel(64);
        let splitter = Splitter::new(&self.start);
        thread::spawn(move || forward(from, splitter, &sender));
        Ok(Helper { process, names, pieces })
    }
}

fn late(limit: Duration) -> String {
    let (seconds, more) = (limit.as_secs(), 4 * limit.as_secs());
    format!(
        "did not end within {seconds} s: a loop that does not end? (`cargo study check --limit {more}` gives it more time.)"
    )
}

fn forward(mut from: PipeReader, mut splitter: Splitter, to: &SyncSender<Piece>) {
    let mut bytes = vec![0; 1 << 14];
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes) else { return };
        for piece in splitter.push(&bytes[..count]) {
            // Nobody may want the rest.
            if to.send(piece).is_err() {
                return;
            }
        }
    }
}

/// How trying an answer ended.
enum End {
    Verdict(Line),
    /// The process ended.
    Ended(ExitStatus),
    /// It did not, within this time.
    Late(Duration),
}

/// One process. It does not outlive this value.
struct Helper {
    process: Child,
    names: Option<ChildStdin>,
    pieces: Receiver<Piece>,
}

impl Helper {
    fn judge(
        &mut self,
        answerer: Answerer,
        limit: Option<Duration>,
        echo: bool,
        seen: &mut Seen,
    ) -> io::Result<End> {
        if let Some(names) = &mut self.names {
            // A process that does not take it has ended, and that shows below.
            let _ =
                names.write_all(format!("{}::{}\n", answerer.who, answerer.exercise).as_bytes());
        }
        loop {
            let silent = match self.pieces.recv_timeout(LOOK) {
                Ok(Piece::Text(bytes)) => {
                    if echo {
                        io::stdout().write_all(&bytes)?;
                    }
                    seen.text(&bytes);
                    false
                }
                Ok(Piece::Mark(Mark::Verdict(line))) => return Ok(End::Verdict(line)),
                Ok(Piece::Mark(mark)) => {
                    seen.mark(mark);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => {
                    thread::sleep(Duration::from_millis(1));
                    true
                }
            };
            if silent && let Some(status) = self.process.try_wait()? {
                return Ok(End::Ended(status));
            }
            if let (Some(limit), Some(since)) = (limit, seen.runs_since())
                && since.elapsed() > limit
            {
                return Ok(End::Late(limit));
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
