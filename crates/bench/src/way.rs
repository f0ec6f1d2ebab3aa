//! One way to compute a row.

use candle_core::{Result, Tensor};
use std::sync::Arc;

/// A way to compute a row.
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// How many threads it gets.
    pub threads: usize,
    /// Where it is computed.
    pub work: Work,
}

/// What computes.
pub enum Work {
    /// This process.
    Here(Here),
    /// PyTorch: the name of the way there.
    Torch(&'static str),
}

/// Computes all results: the output first, then gradients if there are any.
pub type Here = Box<dyn Fn() -> Result<Vec<Tensor>> + Send + Sync>;

/// How far a way's results are from the right ones, at most.
pub type Check = Box<dyn Fn(&[Tensor]) -> Result<f64>>;

/// A way that gets the largest number of threads.
pub fn most(
    name: &'static str,
    threads: &[usize],
    work: impl Fn() -> Result<Vec<Tensor>> + Send + Sync + 'static,
) -> Way {
    let threads = threads.last().copied().unwrap_or(1);
    Way { name, threads, work: Work::Here(Box::new(work)) }
}

/// A way with each number of threads.
pub fn each(
    name: &'static str,
    threads: &[usize],
    work: impl Fn() -> Result<Vec<Tensor>> + Send + Sync + 'static,
) -> Vec<Way> {
    let work = Arc::new(work);
    let with = |threads| {
        let work = work.clone();
        most(name, &[threads], move || work())
    };
    threads.iter().copied().map(with).collect()
}
