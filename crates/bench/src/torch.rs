//! PyTorch, in a Python process of its own that is asked line by line: it measures only when asked, so that nothing else
//! runs at the same time.

use crate::ragged;
use crate::rows::{Case, Row};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A Python that waits for requests.
pub struct Torch {
    python: PathBuf,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// PyTorch's version.
    pub version: String,
    /// Python's version.
    pub python_version: String,
}

impl Torch {
    /// Starts this Python, and waits until it has PyTorch.
    pub fn start(python: &Path) -> Result<Self> {
        let mut command = Command::new(python);
        command.args(["-c", include_str!("torch.py")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = python.display();
        let mut child = command.spawn().with_context(|| format!("--torch {name}"))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("--torch {name}: its input and output can't be had")
        };
        let (to, from) = (Some(to), BufReader::new(from));
        let python = python.to_owned();
        let (version, python_version) = Default::default();
        let mut torch = Self { python, child, to, from, version, python_version };
        let hello = torch.answer()?;
        let text = |name: &str| hello[name].as_str().unwrap_or("unknown").to_owned();
        (torch.version, torch.python_version) = (text("torch"), text("python"));
        Ok(torch)
    }

    /// The milliseconds of each run within `span` seconds.
    pub fn times(&mut self, row: &Row, way: &str, threads: usize, span: f64) -> Result<Vec<f64>> {
        let answer = self.ask(&request(row, way, threads, "time", span)?)?;
        let times = answer["ms"].as_array().map(|ms| ms.iter().filter_map(Value::as_f64).collect());
        times.context("PyTorch's answer holds no times")
    }

    /// The most bytes beyond inputs and results, as a process of its own sees its memory grow; nothing where the system
    /// does not tell.
    pub fn memory(&self, row: &Row, way: &str, threads: usize) -> Result<Option<usize>> {
        let mut fresh = Self::start(&self.python)?;
        let answer = fresh.ask(&request(row, way, threads, "memory", 0.)?)?;
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
            .with_context(|| format!("expected an answer of PyTorch's process; got {line:?}"))?;
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

fn request(row: &Row, way: &str, threads: usize, op: &str, span: f64) -> Result<Value> {
    let shape = [row.batch, row.heads, row.heads_kv, row.queries, row.keys, row.dim];
    let lengths = if row.case == Case::Ragged { ragged::lengths()? } else { vec![] };
    Ok(json!({
        "op": op, "case": row.case.name(), "way": way, "shape": shape, "lengths": lengths,
        "threads": threads, "span": span,
    }))
}
