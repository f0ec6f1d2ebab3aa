//! How far a result is from the right one.

use candle_core::{Result, Tensor};
use compare::{larger, largest_error};
use flash::{Causal, SdpaOptions, naive};

/// The error of the last queries' outputs: for these few, all scores fit into memory.
pub fn last_queries(results: &[Tensor], [q, k, v]: [&Tensor; 3], causal: bool) -> Result<f64> {
    let (queries, few) = (q.dim(2)?, q.dim(2)?.min(64));
    let last = |x: &Tensor| x.narrow(2, queries - few, few);
    // The last query sees the last key either way when there are as many of both, as all causal rows have.
    let mut options = SdpaOptions::default();
    options.causal = causal.then_some(Causal::BottomRight);
    let expected = naive::attention(&last(q)?, k, v, &options)?;
    relative(&last(&results[0])?, &expected)
}

/// The largest difference of two tensors, NaN included, as a part of the largest number where that is above 1.
pub fn relative(got: &Tensor, expected: &Tensor) -> Result<f64> {
    let largest = largest_error(expected, &expected.zeros_like()?)?;
    Ok(largest_error(got, expected)? / larger(largest, 1.))
}
