//! Colours and progress. On a terminal a bar moves; elsewhere plain lines tell the same.

use std::time::{Duration, Instant};

use console::{StyledObject, style};
use indicatif::{ProgressBar, ProgressStyle};

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

/// Shows on standard error how far a step has come.
pub struct Progress {
    bar: ProgressBar,
    title: String,
    plain: bool,
    started: Instant,
    told: u64,
}

impl Progress {
    /// A step called `title`, of unknown length at first.
    pub fn start(title: &str) -> Self {
        let plain = !console::user_attended_stderr();
        let bar = if plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        bar.set_prefix(title.to_owned());
        bar.set_style(spinner());
        if !plain {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self {
            bar,
            title: title.to_owned(),
            plain,
            started: Instant::now(),
            told: 0,
        }
    }

    /// `position` of `total` parts are done; `detail` is at work.
    pub fn set(&mut self, position: u64, total: u64, detail: &str) {
        if self.bar.length() != Some(total) {
            self.bar.set_style(counter());
            self.bar.set_length(total);
        }
        self.bar.set_position(position);
        self.bar.set_message(detail.to_owned());
        let tenth = position * 10 / total.max(1);
        if self.plain && tenth > self.told {
            self.told = tenth;
            eprintln!("{}: {position} of {total} ({detail})", self.title);
        }
    }

    /// `detail` is at work; how much is left is not known.
    pub fn detail(&mut self, detail: &str) {
        self.bar.set_message(detail.to_owned());
    }

    /// How long the step has taken.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the step without a word.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }

    /// Ends the step with a line that stays.
    pub fn done(self, message: &str) {
        self.bar.finish_and_clear();
        eprintln!("{} {message}", good("✓", Stream::Err));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn counter() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {bar:24} {pos}/{len} {elapsed:>4} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A duration as a learner reads it: `3.2 s`, `2 min 5 s`.
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(took(Duration::from_millis(3210)), "3.2 s");
        assert_eq!(took(Duration::from_secs(125)), "2 min 5 s");
    }
}
