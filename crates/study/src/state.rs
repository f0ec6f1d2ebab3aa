//! What `cargo study` remembers between calls: which hints were shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::backup;

/// The learner's state, kept in `progress.json`.
#[derive(Default, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How many hints of an exercise, `scaling::softmax`, were shown.
    #[serde(default)]
    hints: BTreeMap<String, usize>,
}

impl State {
    /// Reads the state in `home`; there is none before the first hint.
    pub fn read(home: &Path) -> Result<Self> {
        let file = file(home);
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&file)
            .with_context(|| format!("can't read `{}`", file.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is damaged: delete it to start counting hints again",
                file.display()
            )
        })
    }

    /// Writes the state into `home`.
    pub fn write(&self, home: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).context("the state can't be written as JSON")?;
        backup::replace(&file(home), &(text + "\n"))
    }

    /// How many hints of `exercise` were shown.
    pub fn shown(&self, exercise: &str) -> usize {
        self.hints.get(exercise).copied().unwrap_or(0)
    }

    /// The number, from 1, of the hint to show now: `wanted`, or the one after the last shown; the last of `count`
    /// again when all were shown. Remembers it.
    pub fn next_hint(&mut self, exercise: &str, count: usize, wanted: Option<usize>) -> usize {
        let number = wanted
            .unwrap_or(self.shown(exercise) + 1)
            .clamp(1, count.max(1));
        let shown = self.hints.entry(exercise.to_owned()).or_default();
        *shown = number.max(*shown);
        number
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("progress.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_one_after_the_other() {
        let mut state = State::default();
        let mut next = |wanted| state.next_hint("scaling::softmax", 3, wanted);
        assert_eq!(
            [next(None), next(None), next(None), next(None)],
            [1, 2, 3, 3]
        );
        assert_eq!(next(Some(1)), 1);
        assert_eq!(state.shown("scaling::softmax"), 3);
        assert_eq!(state.shown("scaling::other"), 0);
    }

    #[test]
    fn the_state_outlives_the_program() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().join("new");
        assert_eq!(State::read(&home).unwrap(), State::default());
        let mut state = State::default();
        state.next_hint("scaling::softmax", 3, None);
        state.write(&home).unwrap();
        assert_eq!(State::read(&home).unwrap(), state);
        fs::write(file(&home), "{").unwrap();
        assert!(
            State::read(&home)
                .unwrap_err()
                .to_string()
                .contains("delete it")
        );
    }
}
