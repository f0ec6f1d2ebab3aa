//! The measuring of a row: every way has its turn, again and again, so that a machine that is slower for a while is so for
//! all of them.

use crate::memory::most_held;
use crate::peak;
use crate::ragged;
use crate::report::{Cell, Shape};
use crate::rows::{Case, Row};
use crate::torch::Torch;
use crate::ways::{self, Check, Here, Way, Work};
use anyhow::{Context, Result, bail};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Seconds of a turn; a way that takes longer runs once.
const SPAN: f64 = 0.2;
/// The most that a result may be wrong by: some hundred roundings of f32.
const TOLERANCE: f64 = 1e-4;

/// Set by Ctrl-C: what has begun is ended, and nothing more begun.
pub static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// What measures, and what is kept from row to row.
pub struct Bench {
    threads: Vec<usize>,
    pools: BTreeMap<usize, ThreadPool>,
    torch: Option<Torch>,
    rounds: usize,
    /// By instructions and threads, GFLOP/s of each turn.
    peaks: BTreeMap<(&'static str, usize), Vec<f64>>,
}

impl Bench {
    /// Makes a pool for each number of threads.
    pub fn new(threads: Vec<usize>, torch: Option<Torch>, rounds: usize) -> Result<Self> {
        let pool = |count: &usize| {
            let pool = ThreadPoolBuilder::new().num_threads(*count).build();
            pool.map(|pool| (*count, pool)).with_context(|| format!("can't start {count} threads"))
        };
        let pools = threads.iter().map(pool).collect::<Result<_>>()?;
        Ok(Self { threads, pools, torch, rounds, peaks: BTreeMap::new() })
    }

    /// The median peak of these instructions on so many threads, of all turns so far.
    pub fn peaks(&self) -> impl Iterator<Item = (&'static str, usize, f64)> {
        self.peaks.iter().map(|((name, threads), all)| {
            let mut all = all.clone();
            all.sort_by(f64::total_cmp);
            (*name, *threads, quantile(&all, 0.5))
        })
    }

    /// Measures a row; a cell for each way that had a turn. `told` hears what is next.
    pub fn row(&mut self, row: &Row, told: impl Fn(&str)) -> Result<Vec<Cell>> {
        told("making inputs");
        let (ways, check) = ways::of(row, &self.threads, self.torch.is_some())?;
        let mut peaks = vec![];
        for way in &ways {
            told(&format!("checking {}", way.name));
            if !stopped() {
                let peak = self.try_out(row, way, &check);
                peaks.push(peak.with_context(|| format!("{}, {}", row.name, way.name))?);
            }
        }
        let mut times = vec![vec![]; ways.len()];
        for round in 0..self.rounds {
            self.measure_peaks();
            for (way, times) in ways.iter().zip(&mut times) {
                if !stopped() {
                    told(&format!("round {} of {}: {}", round + 1, self.rounds, way.name));
                    times.extend(self.turn(row, way)?);
                }
            }
        }
        let work = operations(row)?;
        let cells = ways.iter().zip(times).zip(peaks).filter(|((_, times), _)| !times.is_empty());
        Ok(cells.map(|((way, times), peak)| self.cell(row, way, times, peak, work)).collect())
    }

    /// Runs a way for the first time: whether it is right, and how much memory it takes.
    fn try_out(&self, row: &Row, way: &Way, check: &Check) -> Result<Option<usize>> {
        match &way.work {
            Work::Torch(name) => {
                self.torch.as_ref().map_or(Ok(None), |torch| torch.memory(row, name, way.threads))
            }
            Work::Here(work) => {
                let error = check(&self.pool(way)?.install(work)?)?;
                if error.is_nan() || error > TOLERANCE {
                    bail!("its result is wrong by {error:.1e}; at most {TOLERANCE:.0e} is expected")
                }
                let (results, held) = most_held(|| self.pool(way).map(|pool| pool.install(work)));
                let results: usize =
                    results??.iter().map(|x| x.elem_count() * x.dtype().size_in_bytes()).sum();
                Ok(Some(held.saturating_sub(results)))
            }
        }
    }

    /// The milliseconds of each run of a turn.
    fn turn(&mut self, row: &Row, way: &Way) -> Result<Vec<f64>> {
        match (&way.work, &mut self.torch) {
            (Work::Here(work), _) => self.pool(way)?.install(|| times(work)),
            (Work::Torch(name), Some(torch)) => torch.times(row, name, way.threads, SPAN),
            (Work::Torch(_), None) => Ok(vec![]),
        }
    }

    fn pool(&self, way: &Way) -> Result<&ThreadPool> {
        self.pools.get(&way.threads).context("no pool of so many threads")
    }

    fn measure_peaks(&mut self) {
        for (threads, pool) in &self.pools {
            for name in peak::instructions() {
                let gflops = peak::measure(name, pool);
                self.peaks.entry((name, *threads)).or_default().push(gflops);
            }
        }
    }

    fn cell(
        &self,
        row: &Row,
        way: &Way,
        mut times: Vec<f64>,
        peak_bytes: Option<usize>,
        work: f64,
    ) -> Cell {
        times.sort_by(f64::total_cmp);
        let median = quantile(&times, 0.5);
        Cell {
            row: row.name.to_owned(),
            shape: Shape {
                b: row.batch,
                h_q: row.heads,
                h_kv: row.heads_kv,
                n_q: row.queries,
                n_k: row.keys,
                d: row.dim,
            },
            case: row.case.name().to_owned(),
            way: way.name.to_owned(),
            threads: way.threads,
            runs: times.len(),
            median_ms: median,
            min_ms: times[0],
            spread_ms: (quantile(&times, 0.75) - quantile(&times, 0.25)) / 2.,
            gflops: work / median / 1e6,
            share_of_peak: None,
            times_torch: None,
            peak_bytes,
        }
    }
}

/// The milliseconds of each run within [`SPAN`]; one run goes before, unless it takes as long.
fn times(work: &Here) -> Result<Vec<f64>> {
    let run = || -> Result<f64> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (start, first) = (Instant::now(), run()?);
    if first > SPAN {
        return Ok(vec![first * 1e3]);
    }
    let mut all = vec![];
    while all.is_empty() || (start.elapsed().as_secs_f64() < SPAN + first && all.len() < 2000) {
        all.push(run()? * 1e3);
    }
    Ok(all)
}

/// The number of which this part of `sorted` is smaller.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * sorted.len().saturating_sub(1) as f64;
    let of = |at: f64| sorted.get(at as usize).copied().unwrap_or(f64::NAN);
    of(at.floor()) + (of(at.ceil()) - of(at.floor())) * at.fract()
}

/// The multiplications and additions that the results need: two products of matrices forward, five more backward; half of
/// them when causal.
fn operations(row: &Row) -> Result<f64> {
    let products = 2. * (row.batch * row.heads * row.queries * row.keys * row.dim) as f64;
    Ok(match row.case {
        Case::Matmul => products,
        Case::Dense => 2. * products,
        Case::Causal => products,
        Case::Backward => 7. * products,
        Case::BackwardCausal => 3.5 * products,
        Case::Ragged => {
            let scores: usize = ragged::lengths()?.iter().map(|length| length * length).sum();
            4. * (row.heads * row.dim * scores) as f64
        }
    })
}
