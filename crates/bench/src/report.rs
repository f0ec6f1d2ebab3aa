//! A run as it is kept in a file.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What was measured, where and with what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Day, as `2026-11-21`.
    pub date: String,
    /// How many times every way had its turn.
    pub rounds: usize,
    /// Whether Ctrl-C ended it before its end.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
    /// The card, when it ran on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// Of what was measured.
    pub versions: Versions,
    /// What the processor can do at most.
    pub peaks: Vec<Peak>,
    /// The table, a record a cell.
    pub cells: Vec<Cell>,
    /// What could not be measured, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that the program could use.
    pub cores: usize,
    /// Kinds of vector instructions, the best last.
    pub instructions: Vec<String>,
    /// Bytes of memory.
    pub memory: u64,
    /// Operating system and architecture.
    pub system: String,
}

/// A GPU and what drives it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Compute capability, as `9.0`.
    pub capability: String,
    /// Bytes of memory.
    pub memory: u64,
    /// The driver's version, when `nvidia-smi` tells it.
    pub driver: Option<String>,
    /// The newest CUDA that the driver knows.
    pub cuda: Option<String>,
}

/// Versions of programs and libraries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Versions {
    /// Of the compiler.
    pub rustc: String,
    /// Of candle.
    pub candle: String,
    /// Of PyTorch, when it was measured.
    pub torch: Option<String>,
    /// Of its Python.
    pub python: Option<String>,
    /// Of the CUDA that PyTorch was built with, on a card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch_cuda: Option<String>,
    /// Which flash attention PyTorch has there: `FA2` unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch_flash: Option<String>,
}

/// The most multiplications and additions of these instructions on so many threads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peak {
    /// `avx512`, `avx2`, …
    pub instructions: String,
    /// How many threads.
    pub threads: usize,
    /// The median of all its turns.
    pub gflops: f64,
}

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the usual letters")]
pub struct Shape {
    pub b: usize,
    pub h_q: usize,
    pub h_kv: usize,
    pub n_q: usize,
    pub n_k: usize,
    pub d: usize,
}

/// One way on one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// The row's name.
    pub row: String,
    /// Its sizes.
    pub shape: Shape,
    /// What is computed.
    pub case: String,
    /// The type of inputs and outputs.
    #[serde(default = "f32")]
    pub dtype: String,
    /// The way.
    #[serde(rename = "impl")]
    pub way: String,
    /// How many threads.
    pub threads: usize,
    /// How many runs were measured.
    pub runs: usize,
    /// Their median.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// Half of what the middle half spans.
    pub spread_ms: f64,
    /// Multiplications and additions that the result needs, in the median's time.
    pub gflops: f64,
    /// The part of the peak of the same instructions on as many threads.
    pub share_of_peak: Option<f64>,
    /// How many times as fast as PyTorch on as many threads; with sequences of different lengths, as PyTorch's way
    /// without padding.
    pub times_torch: Option<f64>,
    /// The most bytes at once beyond inputs and results; none where it was not measured.
    pub peak_bytes: Option<usize>,
}

/// What all runs computed with before cells named their type.
fn f32() -> String {
    "f32".to_owned()
}

/// A way that can't be measured on a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeftOut {
    /// The row's name.
    pub row: String,
    /// The way.
    #[serde(rename = "impl")]
    pub way: String,
    /// What it said.
    pub why: String,
}

impl Run {
    /// Reads a run.
    pub fn load(file: &Path) -> Result<Self> {
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("can't read `{name}`"))?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{name}`: expected what `cargo study bench --json` wrote"))
    }

    /// Writes it, in place of what the file held.
    pub fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        // Beside it first: a file that is cut off half way would be worth nothing.
        let beside = file.with_extension("json.part");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, file))
            .with_context(|| format!("can't write `{}`", file.display()))
    }

    /// The cell of this way on this row.
    pub fn cell(&self, row: &str, way: &str, threads: usize) -> Option<&Cell> {
        let here = |cell: &&Cell| cell.row == row && cell.way == way && cell.threads == threads;
        self.cells.iter().find(here)
    }

    /// The peak of these instructions on so many threads.
    pub fn peak(&self, instructions: &str, threads: usize) -> Option<f64> {
        let here = |peak: &&Peak| peak.instructions == instructions && peak.threads == threads;
        self.peaks.iter().find(here).map(|peak| peak.gflops)
    }

    /// The best instructions.
    pub fn best(&self) -> &str {
        self.machine.instructions.last().map_or("", String::as_str)
    }

    /// The largest number of threads that was measured.
    pub fn threads(&self) -> usize {
        self.cells.iter().map(|cell| cell.threads).max().unwrap_or(1)
    }
}
