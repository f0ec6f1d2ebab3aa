//! The file that keeps what was measured, where and when.

use candle_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, process::Command, thread};

/// `climb.json`.
#[derive(Default, Deserialize, Serialize)]
pub struct Record {
    pub times: Option<Times>,
    pub lines: Option<Lines>,
}

/// Milliseconds of all heads, on one thread.
#[derive(Deserialize, Serialize)]
pub struct Times {
    pub machine: Machine,
    /// `[heads, seq]` of the attention whose keys and values leave the second cache.
    pub long: [usize; 2],
    /// The same number of scores, from sequences that fit into it.
    pub short: [usize; 2],
    pub dim: usize,
    pub rounds: usize,
    pub rungs: Vec<RungTimes>,
    /// Naive's four operations, one by one.
    pub operations: Vec<Part>,
    /// As many exponentials as there are scores, by themselves.
    pub exponentials: Vec<Part>,
    /// As many dot products as there are scores, by themselves.
    pub dots: Vec<Part>,
    /// A square product of the same library as naive's.
    pub product: Product,
}

/// A rung's times, and how much they shrink with the numbers of a query and key, and of a value.
#[derive(Deserialize, Serialize)]
pub struct RungTimes {
    pub name: String,
    pub long: f64,
    pub short: f64,
    /// What Q·Kᵀ takes of `short`: twice what is saved by half as many numbers in queries and keys.
    pub scores: f64,
    /// What P·V takes of `short`, by half as many numbers in values.
    pub values: f64,
}

#[derive(Deserialize, Serialize)]
pub struct Part {
    pub name: String,
    pub ms: f64,
}

#[derive(Deserialize, Serialize)]
pub struct Product {
    pub size: usize,
    pub ms: f64,
}

/// What valgrind counts for one head on one thread.
#[derive(Deserialize, Serialize)]
pub struct Lines {
    pub machine: Machine,
    pub valgrind: String,
    pub seq: usize,
    pub dim: usize,
    /// Bytes of the two caches that are simulated.
    pub caches: [usize; 2],
    pub rungs: Vec<RungLines>,
}

#[derive(Deserialize, Serialize)]
pub struct RungLines {
    pub name: String,
    pub instructions: u64,
    /// Lines of 64 bytes that were not in the first cache.
    pub beyond_first: u64,
    /// Lines that were not in the second cache either.
    pub beyond_second: u64,
}

#[derive(Deserialize, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub threads: usize,
    /// The kernel's path.
    pub path: String,
    pub date: String,
}

impl Machine {
    /// This one, today.
    pub fn here() -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line =
                info.lines().find(|line| line.split(':').next().map(str::trim) == Some(name));
            line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
        };
        let [name, family, model] = ["model name", "cpu family", "model"].map(field);
        let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
        let date = date.map(|date| String::from_utf8_lossy(&date.stdout).trim().to_owned());
        Ok(Self {
            cpu: format!("{name}, family {family}, model {model}"),
            threads: thread::available_parallelism().map_or(1, |threads| threads.get()),
            path: format!("{:?}", flash::Path::detect()?),
            date: date.unwrap_or_else(|_| "unknown".into()),
        })
    }
}

/// `intel-xeon.json`: milliseconds that were recorded on a machine which this program never saw.
#[derive(Deserialize)]
pub struct Elsewhere {
    pub machine: String,
    pub date: String,
    pub versions: String,
    pub rows: Vec<Row>,
}

#[derive(Deserialize)]
pub struct Row {
    pub name: String,
    pub torch_1: Option<f64>,
    pub kernel_1: Option<f64>,
    pub torch_2: Option<f64>,
    pub kernel_2: Option<f64>,
}

impl Elsewhere {
    pub fn load(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).map_err(Error::wrap)?;
        serde_json::from_str(&text).map_err(Error::wrap)
    }
}

impl Record {
    /// What was kept, if anything.
    pub fn load(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).map_err(Error::wrap),
            Err(_) => Ok(Self::default()),
        }
    }

    pub fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(Error::wrap)?;
        fs::write(file, text + "\n").map_err(Error::wrap)
    }
}
