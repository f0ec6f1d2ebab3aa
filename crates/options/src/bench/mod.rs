//! The options of `cargo study bench`.

pub mod rows;

use crate::files;
use crate::numbers::whole;
use clap::{Args, builder::PossibleValue};
use rows::Row;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to measure, and where the results go.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only these rows: names separated by commas, with `*` as a wildcard
    #[arg(long, value_name = "PATTERN")]
    pub only: Option<String>,
    /// How many turns each implementation gets
    #[arg(long, value_name = "N", default_value = "5", value_parser = whole(1, 1024_usize), allow_hyphen_values = true)]
    pub rounds: usize,
    /// Numbers of threads, separated by commas, for the kernel and PyTorch; the others get the largest. If left out, 1
    /// and all
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = whole(1, 1024_usize), allow_hyphen_values = true)]
    pub threads: Vec<usize>,
    /// Measure PyTorch too, with this Python
    #[arg(long, value_name = "PYTHON")]
    pub torch: Option<PathBuf>,
    /// Where to compute: `auto` is the CPU, since a build with CUDA takes hours and must be asked for
    #[arg(long, default_value = "auto", value_parser = devices())]
    pub device: String,
    /// Write the results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure nothing: make the pages' tables and figure from such a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "threads", "torch", "json", "list"])]
    pub page: Option<PathBuf>,
    /// Put them here instead of in the chapters' folders
    #[arg(long, value_name = "FOLDER", requires = "page")]
    pub out: Option<PathBuf>,
    /// Measure nothing: list the rows
    #[arg(long)]
    pub list: bool,
}

/// `rehearsal` is for tests: all that happens on a card, small, on the CPU.
fn devices() -> Vec<PossibleValue> {
    let mut values = ["auto", "cpu", "cuda", "metal"].map(PossibleValue::new).to_vec();
    values.push(PossibleValue::new("rehearsal").hide(true));
    values
}

impl Options {
    /// What is not as it must be, before anything is measured.
    pub fn check(&self) -> Result<(), String> {
        self.rows()?;
        if let Some(file) = &self.page {
            files::json("--page", file)?;
        }
        if let Some(folder) = &self.out {
            files::folder(&format!("--out {}", folder.display()), folder)?;
        }
        if let Some(python) = &self.torch {
            has_torch(python)?;
        }
        if let Some(file) = &self.json {
            files::results("--json", file)?;
        }
        Ok(())
    }

    /// The rows to measure; an error when there are none.
    pub fn rows(&self) -> Result<Vec<&'static Row>, String> {
        let all = rows::on(&self.device);
        let Some(pattern) = &self.only else { return Ok(all.iter().collect()) };
        let rows = rows::chosen(pattern, all);
        match rows.is_empty() {
            true => Err(format!(
                "--only {pattern}: no row has that name; type `cargo study bench --list{}` to see them all",
                if self.device == "cuda" { " --device cuda" } else { "" }
            )),
            false => Ok(rows),
        }
    }

    /// How many threads, ascending.
    pub fn threads(&self) -> Vec<usize> {
        let mut threads = self.threads.clone();
        if threads.is_empty() {
            let set = env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok());
            let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
            threads = vec![1, set.filter(|set| *set > 0).unwrap_or_else(cores)];
        }
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

/// A line for each row of this device.
pub fn list(device: &str) -> String {
    let rows = rows::on(device);
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(16);
    let line = |row: &Row| format!("{:<width$} {}\n", row.name, row.title());
    rows.iter().map(line).collect()
}

fn has_torch(python: &Path) -> Result<(), String> {
    let name = python.display();
    let mut command = Command::new(python);
    command.args(["-c", "import torch"]).stdin(Stdio::null());
    match command.output() {
        Err(error) => Err(format!(
            "--torch {name}: can't be started: {error}. Name a Python that has PyTorch, such as `--torch python3`"
        )),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it said nothing").to_owned();
            Err(format!(
                "--torch {name}: `import torch` fails there: {last}. Type `{name} -m pip install torch`, or leave out `--torch`"
            ))
        }
    }
}
