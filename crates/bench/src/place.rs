//! Where a run measures: the processor, or a card.

use crate::report::Peak;
use crate::torch::Torch;
use crate::way::{Here, Way};
use anyhow::Result;
use candle_core::Tensor;
use options::bench::rows::Row;

/// What the measuring of a row asks of the place where it happens.
pub trait Place {
    /// The ways of a row, PyTorch's when asked for, and what judges their results.
    fn ways(&self, row: &Row, torch: bool) -> Result<(Vec<Way>, Judge)>;

    /// Runs a way for the first time and has it judged; the most bytes that it held, where that is known.
    fn try_out(&self, way: &Way, work: &Here, judge: &Judge) -> Result<Option<usize>>;

    /// The same for PyTorch's ways.
    fn try_torch(&self, torch: &mut Torch, row: &Row, way: &Way, name: &str) -> Result<Tried>;

    /// The milliseconds of a way's runs in one turn of `span` seconds.
    fn times(&self, way: &Way, work: &Here, span: f64) -> Result<Vec<f64>>;

    /// Seconds that PyTorch shall fill with runs between two looks at the clock; 0 for one run.
    fn lap(&self) -> f64;

    /// The multiplications and additions that the row's results need.
    fn operations(&self, row: &Row) -> Result<f64>;

    /// What else is measured once a round.
    fn between_rounds(&mut self) {}

    /// The most that the place can do, as far as that was measured.
    fn peaks(&self) -> Vec<Peak> {
        vec![]
    }
}

/// Says what is wrong with a way's results, if anything is.
pub type Judge = Box<dyn Fn(&[Tensor]) -> candle_core::Result<Option<String>>>;

/// What came of trying a way.
pub enum Tried {
    /// It runs, and held at most so many bytes, where that is known.
    Runs(Option<usize>),
    /// It can't be measured here, and why.
    LeftOut(String),
}
