//! How long each step took on this machine, kept in `times.json`; for a first time, what it takes on two cores.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::backup;
use crate::estimate::Run;

/// What a step is known by.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// What the learner sees: `Compiling scaling`.
    pub title: &'a str,
    /// How many parts were to be done; 0 when it has none.
    pub parts: u64,
    /// Whether the parts are packages that cargo compiles.
    pub build: bool,
}

/// What was measured.
#[derive(Default, Serialize, Deserialize)]
struct Times {
    /// How many times as long as on two cores of the machine that the numbers here come from.
    pace: Option<f64>,
    steps: BTreeMap<String, Run>,
}

/// How the seconds of a step are spent.
type Shape = fn(f64) -> Run;

/// Seconds that steps take the first time, on two cores with a good connection, by how their titles begin.
const FIRST: [(&str, f64, Shape); 6] = [
    ("evcxr_jupyter", 230., Run::build),
    ("JupyterLab", 25., Run::packages),
    ("Compiling what the notebooks use", 165., Run::even),
    ("From the Python package index", 60., Run::even),
    ("Checking", 6., Run::even),
    ("Drawing", 3., Run::even),
];

/// Seconds that a package takes to compile there, on average, and what comes on top for the course's own, the last ones.
const PACKAGE: f64 = 0.45;
const OWN: f64 = 5.;

/// From so many packages on, the average says something of the machine.
const MANY: u64 = 40;

static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Keeps the times in `home` from now on; without it, nothing is kept.
pub fn keep_in(home: &Path) {
    // Set once, at the start.
    let _ = HOME.set(home.to_owned());
}

/// How `step` is expected to go, if anything is known of it.
pub fn expected(step: Step) -> Option<Run> {
    let times = HOME.get().map(|home| Times::read(home)).unwrap_or_default();
    times.expected(step)
}

/// Keeps how `step` went.
pub fn remember(step: Step, run: Run) {
    let Some(home) = HOME.get() else { return };
    let mut times = Times::read(home);
    if times.learn(step, run) {
        // What can't be kept is estimated as if it were the first time.
        let _ = times.write(home);
    }
}

impl Times {
    fn read(home: &Path) -> Self {
        let text = fs::read_to_string(home.join("times.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write(&self, home: &Path) -> anyhow::Result<()> {
        backup::replace(&home.join("times.json"), &(serde_json::to_string_pretty(self)? + "\n"))
    }

    fn expected(&self, step: Step) -> Option<Run> {
        let before = self.steps.get(&step.key()).cloned();
        let pace = self.pace.unwrap_or_else(pace_of_cores);
        before.or_else(|| first(step).map(|(seconds, run)| run(seconds * pace)))
    }

    /// Whether there was something to learn.
    fn learn(&mut self, step: Step, run: Run) -> bool {
        /// What takes less needs no estimate.
        const SHORT: f64 = 2.;
        let known = self.steps.get(&step.key());
        let new = known.map_or(run.whole > SHORT, |known| {
            (known.whole - run.whole).abs() > 0.1 * known.whole.max(SHORT)
        });
        if !new {
            return false;
        }
        if let Some((seconds, _)) = first(step).filter(|_| step.build && step.parts >= MANY) {
            self.pace = Some(run.whole / seconds);
        }
        self.steps.insert(step.key(), run);
        true
    }
}

impl Step<'_> {
    /// A build of two packages and one of three hundred are different steps.
    fn key(self) -> String {
        match self.parts {
            0 => self.title.to_owned(),
            parts => format!("{}, {} parts", self.title, parts.next_power_of_two()),
        }
    }
}

/// The seconds of a first time, on two cores, and how they are spent.
fn first(step: Step) -> Option<(f64, Shape)> {
    let known = FIRST.iter().find(|(title, ..)| step.title.starts_with(title));
    if let Some(&(_, seconds, run)) = known {
        return Some((seconds, run));
    }
    step.build.then_some((OWN + step.parts as f64 * PACKAGE, Run::build))
}

/// More cores do not help in proportion: packages wait for each other.
fn pace_of_cores() -> f64 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    (2. / cores as f64).powf(0.7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: Step = Step { title: "Compiling scaling", parts: 200, build: true };

    #[test]
    fn a_second_time_is_known_from_the_first() {
        let mut times = Times { pace: Some(1.), ..Times::default() };
        assert_eq!(times.expected(BUILD), Some(Run::build(95.)));
        assert!(times.learn(BUILD, Run::even(190.)));
        assert_eq!(times.expected(BUILD), Some(Run::even(190.)));
        // What is compiled again when a learner has saved is another step.
        let again = Step { parts: 2, ..BUILD };
        assert_eq!(times.expected(again), Some(Run::build(5.9 * 2.)));
        // The machine takes twice as long for other steps too.
        let kernel = Step { title: "evcxr_jupyter 0.22.0", parts: 300, build: true };
        assert_eq!(times.expected(kernel), Some(Run::build(2. * FIRST[0].1)));
        let unknown = Step { title: "Reading", parts: 3, build: false };
        assert_eq!(times.expected(unknown), None);
    }

    #[test]
    fn what_is_short_or_the_same_is_not_written() {
        let mut times = Times::default();
        let checks = Step { title: "Checking scaling", parts: 0, build: false };
        assert!(!times.learn(checks, Run::even(1.)));
        assert!(times.learn(checks, Run::even(4.)));
        assert!(!times.learn(checks, Run::even(4.2)));
        assert!(times.learn(checks, Run::even(1.)));
        assert_eq!(times.pace, None);
    }

    #[test]
    fn times_outlive_the_program_and_a_damaged_file_harms_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut times = Times::read(home.path());
        times.learn(BUILD, Run::even(190.));
        times.write(home.path()).unwrap();
        assert_eq!(Times::read(home.path()).expected(BUILD), Some(Run::even(190.)));
        fs::write(home.path().join("times.json"), "{").unwrap();
        assert!(Times::read(home.path()).steps.is_empty());
    }
}
