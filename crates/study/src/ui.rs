//! Colours and progress. On a terminal a bar moves; elsewhere plain lines tell the same.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use console::{StyledObject, style};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::step::Step;
pub use crate::step::took;

/// Where a coloured text goes: colours are left out when that is no terminal, or when `NO_COLOR` is set.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

fn styled(text: &str, stream: Stream) -> StyledObject<&str> {
    match stream {
        Stream::Out => style(text),
        Stream::Err => style(text).for_stderr(),
    }
}

/// A text that tells of success.
pub fn good(text: &str, stream: Stream) -> StyledObject<&str> {
    styled(text, stream).green()
}

/// A text that tells of a failure.
pub fn bad(text: &str, stream: Stream) -> StyledObject<&str> {
    styled(text, stream).red().bold()
}

/// A text that tells of something still to do.
pub fn open(text: &str, stream: Stream) -> StyledObject<&str> {
    styled(text, stream).yellow()
}

/// A heading.
pub fn heading(text: &str) -> StyledObject<&str> {
    styled(text, Stream::Out).bold()
}

/// Shows on standard error how far a step has come, and how much time it still needs.
pub struct Progress {
    bar: ProgressBar,
    step: Arc<Mutex<Step>>,
    started: Instant,
    teller: Option<Teller>,
}

impl Progress {
    /// A step called `title`, of unknown length at first.
    pub fn start(title: &str) -> Self {
        Self::of(title, false)
    }

    /// The same of a step whose parts are packages that cargo compiles.
    pub fn build(title: &str) -> Self {
        Self::of(title, true)
    }

    fn of(title: &str, build: bool) -> Self {
        let step = Arc::new(Mutex::new(Step::new(title, build)));
        let started = Instant::now();
        let plain = !console::user_attended_stderr();
        let bar = if plain { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_prefix(title.to_owned());
        bar.set_style(style_of("{spinner} {prefix}, {left} {wide_msg}", &step));
        if !plain {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        let teller = plain.then(|| Teller::start(Arc::clone(&step), started));
        Self { bar, step, started, teller }
    }

    /// `position` of `total` parts are done; `detail` is at work.
    pub fn set(&mut self, position: u64, total: u64, detail: &str) {
        if self.bar.length() != Some(total) {
            let template = "{spinner} {prefix} {bar:16} {pos}/{len}, {left} {wide_msg}";
            self.bar.set_style(style_of(template, &self.step));
            self.bar.set_length(total);
        }
        self.bar.set_position(position);
        locked(&self.step).set(self.elapsed().as_secs_f64(), position, total);
        self.detail(detail);
    }

    /// `detail` is at work.
    pub fn detail(&mut self, detail: &str) {
        self.bar.set_message(detail.to_owned());
        locked(&self.step).detail(detail);
    }

    /// How long the step has taken.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the step without a word. It went well: the next time, this one is what is expected. (One that did not is
    /// dropped.)
    pub fn clear(self) {
        locked(&self.step).ended(self.elapsed().as_secs_f64());
    }

    /// Ends the step, which went well, with a line that stays.
    pub fn done(self, message: &str) {
        self.clear();
        eprintln!("{} {message}", good("✓", Stream::Err));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.teller = None;
        self.bar.finish_and_clear();
    }
}

fn locked(step: &Mutex<Step>) -> MutexGuard<'_, Step> {
    step.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a bar is drawn; `{left}` is the time left.
fn style_of(template: &str, step: &Arc<Mutex<Step>>) -> ProgressStyle {
    let step = Arc::clone(step);
    let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let text = locked(&step).left(state.elapsed().as_secs_f64());
        // A bar without its time is still a bar.
        let _ = out.write_str(&text);
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", left)
}

/// Where no bar can move, writes a line now and then; ends with this value.
struct Teller {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    fn start(step: Arc<Mutex<Step>>, started: Instant) -> Self {
        let (end, ended) = channel();
        let tell = move || {
            while ended.recv_timeout(Duration::from_millis(250)) == Err(RecvTimeoutError::Timeout) {
                let due = locked(&step).due(started.elapsed().as_secs_f64());
                if let Some(line) = due {
                    // A log that can't be written to is nobody's to read.
                    let _ = writeln!(std::io::stderr(), "{line}");
                }
            }
        };
        Self { end: Some(end), thread: Some(std::thread::spawn(tell)) }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.end = None;
        // It ends at once, and has no result.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
