//! PyTorch, in a Python process of its own that is asked line by line: it measures only when asked, so that nothing else
//! runs at the same time.

use crate::ragged;
use anyhow::{Context, Result, bail};
use options::bench::rows::Row;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A Python that waits for requests.
pub struct Torch {
    python: PathBuf,
    device: &'static str,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// PyTorch's version.
    pub version: String,
    /// Python's version.
    pub python_version: String,
    /// Of the CUDA that PyTorch was built with, if any.
    pub cuda: Option<String>,
    /// Which flash attention it takes on a card.
    pub flash: Option<String>,
}

impl Torch {
    /// Starts this Python, and waits until it has PyTorch on `device`: `cpu` or `cuda`.
    pub fn start(python: &Path, device: &'static str) -> Result<Self> {
        let mut command = Command::new(python);
        command.args(["-c", include_str!("torch.py"), device]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = python.display();
        let mut child = command.spawn().with_context(|| format!("--torch {name}"))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("--torch {name}: its input and output can't be opened")
        };
        let (to, from) = (Some(to), BufReader::new(from));
        let python = python.to_owned();
        let (version, python_version, cuda, flash) = Default::default();
        let mut torch =
            Self { python, device, child, to, from, version, python_version, cuda, flash };
        let hello = torch.answer()?;
        let told = |name: &str| hello[name].as_str().map(str::to_owned);
        let text = |name: &str| told(name).unwrap_or_else(|| "unknown".to_owned());
        (torch.version, torch.python_version) = (text("torch"), text("python"));
        (torch.cuda, torch.flash) = (told("cuda"), told("flash"));
        Ok(torch)
    }

    /// The milliseconds of a run, within `span` seconds, one for as many runs as fill `lap` seconds; at 0 for each run.
    pub fn times(
        &mut self,
        row: &Row,
        way: &str,
        threads: usize,
        span: f64,
        lap: f64,
    ) -> Result<Vec<f64>> {
        let mut request = request(row, way, threads, "time")?;
        (request["span"], request["lap"]) = (span.into(), lap.into());
        let answer = self.ask(&request)?;
        let times = answer["ms"].as_array().map(|ms| ms.iter().filter_map(Value::as_f64).collect());
        times.context("PyTorch's answer has no times")
    }

    /// Why a way can't be measured there, if it can't.
    pub fn why_not(&mut self, row: &Row, way: &str, threads: usize) -> Result<Option<String>> {
        let answer = self.ask(&request(row, way, threads, "try")?)?;
        Ok(answer["why_not"].as_str().map(str::to_owned))
    }

    /// The most bytes beyond inputs and results, as a process of its own sees its memory grow; nothing where the system
    /// does not tell.
    pub fn memory(&self, row: &Row, way: &str, threads: usize) -> Result<Option<usize>> {
        let mut fresh = Self::start(&self.python, self.device)?;
        let answer = fresh.ask(&request(row, way, threads, "memory")?)?;
        Ok(answer["bytes"].as_u64().map(|bytes| bytes as usize))
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        if let Some(to) = &mut self.to {
            writeln!(to, "{request}").context("PyTorch's process has ended")?;
            to.flush()?;
        }
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.from.read_line(&mut line).context("PyTorch's process has ended")?;
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("expected an answer from PyTorch's process; got {line:?}"))?;
        if let Some(error) = answer["error"].as_str() {
            bail!("PyTorch: {error}");
        }
        Ok(answer)
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        self.to = None; // no more requests: it ends
        // One that has ended already is no worse.
        let _ = self.child.wait();
    }
}

fn request(row: &Row, way: &str, threads: usize, op: &str) -> Result<Value> {
    let shape = [row.batch, row.heads, row.heads_kv, row.queries, row.keys, row.dim];
    let lengths = if row.case.ragged() { ragged::lengths(row)? } else { vec![] };
    Ok(json!({
        "op": op, "case": row.case.name(), "way": way, "shape": shape, "dtype": row.dtype, "lengths": lengths,
        "threads": threads,
    }))
}
