//! The processor as the place of a run: threads of its own for each way, and its peak measured beside.

use crate::clock::{self, quantile};
use crate::memory::most_held;
use crate::peak;
use crate::place::{Judge, Place, Tried};
use crate::ragged;
use crate::report::Peak;
use crate::torch::Torch;
use crate::way::{Here, Way};
use crate::ways::{self};
use anyhow::{Context, Result, bail};
use options::bench::rows::{Case, Row};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;

/// The most that a result may be wrong by: some hundred roundings of f32.
const TOLERANCE: f64 = 1e-4;

/// A pool for each number of threads.
pub struct Processor {
    threads: Vec<usize>,
    pools: BTreeMap<usize, ThreadPool>,
    /// By instructions and threads, GFLOP/s of each turn.
    peaks: BTreeMap<(&'static str, usize), Vec<f64>>,
}

impl Processor {
    /// With these numbers of threads, ascending.
    pub fn new(threads: Vec<usize>) -> Result<Self> {
        let pool = |count: &usize| {
            let pool = ThreadPoolBuilder::new().num_threads(*count).build();
            pool.map(|pool| (*count, pool)).with_context(|| format!("can't start {count} threads"))
        };
        let pools = threads.iter().map(pool).collect::<Result<_>>()?;
        Ok(Self { threads, pools, peaks: BTreeMap::new() })
    }

    fn pool(&self, way: &Way) -> Result<&ThreadPool> {
        self.pools.get(&way.threads).context("no pool of so many threads")
    }
}

impl Place for Processor {
    fn ways(&self, row: &Row, torch: bool) -> Result<(Vec<Way>, Judge)> {
        let (ways, check) = ways::of(row, &self.threads, torch)?;
        let judge = move |results: &[_]| {
            let error = check(results)?;
            let wrong = error.is_nan() || error > TOLERANCE;
            Ok(wrong.then(|| format!("wrong by {error:.1e}; at most {TOLERANCE:.0e} was expected")))
        };
        Ok((ways, Box::new(judge)))
    }

    fn try_out(&self, way: &Way, work: &Here, judge: &Judge) -> Result<Option<usize>> {
        if let Some(wrong) = judge(&self.pool(way)?.install(work)?)? {
            bail!("its result is {wrong}")
        }
        let (results, held) = most_held(|| self.pool(way).map(|pool| pool.install(work)));
        let results: usize =
            results??.iter().map(|x| x.elem_count() * x.dtype().size_in_bytes()).sum();
        Ok(Some(held.saturating_sub(results)))
    }

    fn try_torch(&self, torch: &mut Torch, row: &Row, way: &Way, name: &str) -> Result<Tried> {
        Ok(Tried::Runs(torch.memory(row, name, way.threads)?))
    }

    fn times(&self, way: &Way, work: &Here, span: f64) -> Result<Vec<f64>> {
        self.pool(way)?.install(|| clock::times(span, || Ok(work().map(drop)?)))
    }

    fn lap(&self) -> f64 {
        0.
    }

    /// Two products of matrices forward, five more backward; half of them when causal.
    fn operations(&self, row: &Row) -> Result<f64> {
        let products = 2. * (row.batch * row.heads * row.queries * row.keys * row.dim) as f64;
        Ok(match row.case {
            Case::Matmul => products,
            Case::Dense => 2. * products,
            Case::Causal => products,
            Case::Backward => 7. * products,
            Case::BackwardCausal => 3.5 * products,
            Case::Ragged | Case::RaggedCausal => {
                let scores: usize =
                    ragged::lengths(row)?.iter().map(|length| length * length).sum();
                let all = 4. * (row.heads * row.dim * scores) as f64;
                if row.case.causal() { all / 2. } else { all }
            }
        })
    }

    fn between_rounds(&mut self) {
        for (threads, pool) in &self.pools {
            for name in peak::instructions() {
                let gflops = peak::measure(name, pool);
                self.peaks.entry((name, *threads)).or_default().push(gflops);
            }
        }
    }

    /// The median peak of each kind of instructions on each number of threads, of all turns so far.
    fn peaks(&self) -> Vec<Peak> {
        let peak = |((name, threads), all): (&(&'static str, usize), &Vec<f64>)| {
            let mut all = all.clone();
            all.sort_by(f64::total_cmp);
            let gflops = quantile(&all, 0.5);
            Peak { instructions: (*name).to_owned(), threads: *threads, gflops }
        };
        self.peaks.iter().map(peak).collect()
    }
}
