//! What the terminal shows while it is measured.

use crate::report::{Cell, Run};
use crate::table::{Table, bytes, digits, ms, percent};
use indicatif::{ProgressBar, ProgressStyle};
use options::bench::rows::Row;
use std::io::{IsTerminal, stderr};

/// How far the run is: a bar on a terminal, nothing elsewhere, for finished rows are printed anyway.
pub struct Progress(ProgressBar);

impl Progress {
    /// A run of so many rows.
    pub fn start(rows: usize) -> Self {
        let bar = match stderr().is_terminal() {
            true => ProgressBar::new(rows as u64),
            false => ProgressBar::hidden(),
        };
        let style =
            ProgressStyle::with_template("{bar:16} row {pos} of {len}: {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// What happens now.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
        self.0.tick();
    }

    /// A row is done: its table.
    pub fn done(&self, text: &str) {
        self.0.suspend(|| println!("{text}"));
        self.0.inc(1);
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A row's cells as a table.
pub fn row(row: &Row, run: &Run) -> String {
    let cells = run.cells.iter().filter(|cell| cell.row == row.name);
    let mut table = match &run.card {
        Some(_) => Table::new(["", "ms", "±", "fastest", "TFLOP/s", "× PyTorch"]),
        None => Table::new([
            "",
            "threads",
            "ms",
            "±",
            "fastest",
            "GFLOP/s",
            "of the peak",
            "× PyTorch",
            "most memory",
        ]),
    };
    for cell in cells {
        table.row(if run.card.is_some() { on_card(cell) } else { on_processor(cell) });
    }
    let mut text = format!("{}: {}\n{}", row.name, row.title(), table.markdown());
    for left in run.left_out.iter().filter(|left| left.row == row.name) {
        text += &format!("{} was left out: {}\n", left.way, left.why);
    }
    text
}

fn on_processor(cell: &Cell) -> Vec<String> {
    vec![
        cell.way.clone(),
        cell.threads.to_string(),
        ms(cell.median_ms),
        or((cell.runs > 1).then(|| ms(cell.spread_ms)), "–"),
        ms(cell.min_ms),
        digits(cell.gflops),
        or(cell.share_of_peak.map(percent), "–"),
        or(cell.times_torch.map(digits), "–"),
        or(cell.peak_bytes.map(bytes), "not measured"),
    ]
}

fn on_card(cell: &Cell) -> Vec<String> {
    vec![
        cell.way.clone(),
        ms(cell.median_ms),
        or((cell.runs > 1).then(|| ms(cell.spread_ms)), "–"),
        ms(cell.min_ms),
        digits(cell.gflops / 1e3),
        or(cell.times_torch.map(digits), "–"),
    ]
}

fn or(text: Option<String>, other: &str) -> String {
    text.unwrap_or_else(|| other.to_owned())
}
