//! How far a step is, in words; a moment is given in seconds from the step's start.

use std::time::Duration;

use crate::estimate::{self, Estimate};
use crate::times;

/// A step that the learner waits for.
pub struct Step {
    title: String,
    build: bool,
    parts: Option<Parts>,
    detail: String,
    /// When the first part was begun: what came before, such as a wait for another cargo, tells nothing.
    since: f64,
    estimate: Estimate,
    /// When and at which tenth of its time it was last told of.
    told: Option<(f64, f64)>,
}

/// Of its parts, `before` were done when it began.
struct Parts {
    before: u64,
    done: u64,
    all: u64,
}

/// From then on, a step is long enough to be told of where nothing moves.
const LONG: f64 = 5.;

impl Step {
    /// A step called `title`; the parts of a `build` are packages.
    pub fn new(title: &str, build: bool) -> Self {
        let step = times::Step { title, parts: 0, build };
        Self {
            title: title.to_owned(),
            build,
            parts: None,
            detail: String::new(),
            since: 0.,
            estimate: Estimate::new(if build { None } else { times::expected(step) }),
            told: None,
        }
    }

    /// `done` of `all` parts are done at the moment `at`.
    pub fn set(&mut self, at: f64, done: u64, all: u64) {
        if self.parts.is_none() {
            self.parts = Some(Parts { before: done, done, all });
            self.since = if self.build { at } else { 0. };
            if let Some(expected) = times::expected(self.known()) {
                self.estimate.expect(expected);
            }
        }
        if let Some(parts) = &mut self.parts {
            (parts.done, parts.all) = (done, all);
            let (done, all) = (done.saturating_sub(parts.before), all.saturating_sub(parts.before));
            let share = done as f64 / all.max(1) as f64;
            self.estimate.reached(share, at - self.since);
        }
    }

    /// `detail` is at work.
    pub fn detail(&mut self, detail: &str) {
        detail.clone_into(&mut self.detail);
    }

    /// How much time is left, or, if that is not known, how much has gone.
    pub fn left(&self, at: f64) -> String {
        match self.seconds_left(at) {
            Some(left) => estimate::words(left),
            None => so_far(at),
        }
    }

    /// What to tell at the moment `at` where no bar is seen: something after five seconds, and then at each tenth.
    pub fn due(&mut self, at: f64) -> Option<String> {
        let left = self.seconds_left(at);
        let tenth = left.map_or(0., |left| (at / (at + left) * 10.).floor());
        let due = match (self.told, left) {
            (None, _) => at >= LONG,
            (Some((last, told)), Some(_)) => tenth > told && at >= last + LONG,
            (Some((last, _)), None) => at >= 2. * last,
        };
        if !due {
            return None;
        }
        self.told = Some((at, self.told.map_or(tenth, |(_, told)| tenth.max(told))));
        let count = self.parts.as_ref().map(|Parts { done, all, .. }| format!("{done} of {all}, "));
        let time = match left {
            Some(left) => estimate::words(left),
            None => so_far(at),
        };
        let detail =
            if self.detail.is_empty() { String::new() } else { format!(" ({})", self.detail) };
        Some(format!("{}: {}{time}{detail}", self.title, count.unwrap_or_default()))
    }

    /// It ended well at the moment `at`.
    pub fn ended(&self, at: f64) {
        times::remember(self.known(), self.estimate.ended(at - self.since));
    }

    fn seconds_left(&self, at: f64) -> Option<f64> {
        self.estimate.left(at - self.since)
    }

    fn known(&self) -> times::Step<'_> {
        let parts = self.parts.as_ref().map_or(0, |parts| parts.all.saturating_sub(parts.before));
        times::Step { title: &self.title, parts, build: self.build }
    }
}

/// The seconds that have gone: a bar shows no tenths of them.
fn so_far(at: f64) -> String {
    let whole = at.floor();
    if whole < 60. {
        format!("{whole} s so far")
    } else {
        format!("{} so far", took(Duration::from_secs_f64(whole)))
    }
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

    /// What is told in all, second by second, when `done` parts of 100 are done at each.
    fn told(step: &mut Step, seconds: u32, done: impl Fn(u32) -> Option<u64>) -> Vec<String> {
        let mut all = Vec::new();
        for second in 0..=seconds {
            if let Some(done) = done(second) {
                step.set(second.into(), done, 100);
            }
            all.extend(step.due(second.into()));
        }
        all
    }

    #[test]
    fn a_short_step_is_not_told_of() {
        let lines =
            told(&mut Step::new("Copying", false), 4, |second| Some(20 * u64::from(second)));
        assert!(lines.is_empty(), "{lines:?}");
    }

    #[test]
    fn a_long_step_is_told_of_at_each_tenth_with_what_is_left() {
        let mut step = Step::new("Copying", false);
        step.detail("MB");
        let lines = told(&mut step, 199, |second| Some(u64::from(second) / 2));
        assert_eq!(lines.len(), 10, "{lines:#?}");
        assert_eq!(lines[1], "Copying: 10 of 100, about 3 min left (MB)");
        assert_eq!(lines[9], "Copying: 90 of 100, about 20 s left (MB)");
    }

    #[test]
    fn a_step_of_unknown_length_is_told_of_less_and_less() {
        let lines = told(&mut Step::new("Waiting", false), 100, |_| None);
        assert_eq!(
            lines,
            ["5 s", "10 s", "20 s", "40 s", "1 min 20 s"]
                .map(|time| format!("Waiting: {time} so far"))
        );
    }

    #[test]
    fn a_build_is_estimated_from_the_first_package_on() {
        let mut step = Step::new("Compiling", true);
        // Half a minute went by with waiting for another cargo.
        assert_eq!(step.left(30.5), "30 s so far");
        step.set(30., 100, 300);
        let left = step.seconds_left(30.).unwrap();
        assert!(left > 1., "{left}");
        let later = step.seconds_left(31.).unwrap();
        assert!((left - later - 1.).abs() < 1e-9, "{left} {later}");
        assert_eq!(step.known().parts, 200);
    }
}
