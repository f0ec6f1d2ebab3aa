//! The measuring of a row: every way has its turn, again and again, so that a machine that is slower for a while is so for
//! all of them.

use crate::clock::quantile;
use crate::place::{Judge, Place, Tried};
use crate::report::{Cell, LeftOut, Peak, Shape};
use crate::torch::Torch;
use crate::way::{Way, Work};
use anyhow::{Context, Result};
use options::bench::rows::Row;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by Ctrl-C: what has begun is ended, and nothing more begun.
pub static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// What measures, and what is kept from row to row.
pub struct Bench {
    place: Box<dyn Place>,
    torch: Option<Torch>,
    rounds: usize,
    /// Seconds of a turn.
    span: f64,
}

impl Bench {
    /// Measures there, and with this PyTorch, so many rounds, whose turns take `span` seconds.
    pub fn new(place: Box<dyn Place>, torch: Option<Torch>, rounds: usize, span: f64) -> Self {
        Self { place, torch, rounds, span }
    }

    /// What the place can do at most, by all that was measured so far.
    pub fn peaks(&self) -> Vec<Peak> {
        self.place.peaks()
    }

    /// Measures a row: a cell for each way that had a turn, and what had to be left out. `told` hears what is next.
    pub fn row(&mut self, row: &Row, told: impl Fn(&str)) -> Result<(Vec<Cell>, Vec<LeftOut>)> {
        told("making inputs");
        let (ways, judge) = self.place.ways(row, self.torch.is_some())?;
        let (mut able, mut left_out) = (vec![], vec![]);
        for way in ways {
            told(&format!("checking {}", way.name));
            if stopped() {
                continue;
            }
            let tried = self.try_out(row, &way, &judge);
            match tried.with_context(|| format!("{}, {}", row.name, way.name))? {
                Tried::Runs(peak) => able.push((way, peak, vec![])),
                Tried::LeftOut(why) => {
                    let [row, way] = [row.name, way.name].map(str::to_owned);
                    left_out.push(LeftOut { row, way, why });
                }
            }
        }
        for round in 0..self.rounds {
            self.place.between_rounds();
            for (way, _, times) in &mut able {
                if !stopped() {
                    told(&format!("round {} of {}: {}", round + 1, self.rounds, way.name));
                    times.extend(self.turn(row, way)?);
                }
            }
        }
        let work = self.place.operations(row)?;
        let measured = able.into_iter().filter(|(_, _, times)| !times.is_empty());
        let cells = measured.map(|(way, peak, times)| cell(row, &way, times, peak, work));
        Ok((cells.collect(), left_out))
    }

    /// Runs a way for the first time.
    fn try_out(&mut self, row: &Row, way: &Way, judge: &Judge) -> Result<Tried> {
        match (&way.work, &mut self.torch) {
            (Work::Here(work), _) => Ok(Tried::Runs(self.place.try_out(way, work, judge)?)),
            (Work::Torch(name), Some(torch)) => self.place.try_torch(torch, row, way, name),
            (Work::Torch(_), None) => Ok(Tried::Runs(None)),
        }
    }

    /// The milliseconds of each run of a turn.
    fn turn(&mut self, row: &Row, way: &Way) -> Result<Vec<f64>> {
        match (&way.work, &mut self.torch) {
            (Work::Here(work), _) => self.place.times(way, work, self.span),
            (Work::Torch(name), Some(torch)) => {
                torch.times(row, name, way.threads, self.span, self.place.lap())
            }
            (Work::Torch(_), None) => Ok(vec![]),
        }
    }
}

fn cell(row: &Row, way: &Way, mut times: Vec<f64>, peak_bytes: Option<usize>, work: f64) -> Cell {
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
        dtype: row.dtype.to_owned(),
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
