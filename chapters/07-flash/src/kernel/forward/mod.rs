//! Attention: blocks of queries on their way through the keys.
//!
//! - [`prepare`]: what is done with keys and values before any block;
//! - [`block`]: which tiles a block of queries meets, in which order; [`softmax`]: the online softmax on a tile.

mod block;
mod prepare;
mod softmax;

use super::data::real::Real;
use super::instructions::lanes::Lanes;
use super::work::plan::Plan;
use super::work::problem::Problem;
use super::work::share::share;
use block::Scratch;
use prepare::Prepared;
use std::sync::PoisonError;

/// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`; when sequences are
/// packed, `(total_q, heads_q, dim_v)` and `(total_q, heads_q)`.
pub(super) fn attend<L: Lanes>(
    lanes: L,
    problem: &Problem<L::Number>,
) -> (Vec<L::Number>, Vec<L::Number>) {
    let rows = problem.sizes.heads_q * problem.queries();
    let mut out = vec![L::Number::ZERO; rows * problem.sizes.dim_v];
    let mut lse = vec![L::Number::NEG_INFINITY; rows];
    if rows == 0 || problem.sizes.seq_k == 0 {
        return (out, lse);
    }
    let plan = Plan::new(problem);
    let mut prepared = Prepared::new(problem, &plan);
    let scratch = || Scratch::new(&problem.sizes, &plan);
    let (mut out_left, mut lse_left) = (&mut out[..], &mut lse[..]);
    for wave in &plan.waves {
        prepared.prepare(lanes, problem, &plan, wave);
        let (items, results) = plan.items(problem, wave, [&mut out_left, &mut lse_left]);
        share(items.len(), plan.threads, scratch, |scratch, at| {
            scratch.attend(lanes, problem, (&plan, &prepared), &items[at]);
            let results = results[items[at].results].lock();
            let mut results = results.unwrap_or_else(PoisonError::into_inner);
            lanes.vectorised(
                #[inline(always)]
                || scratch.finish(problem, &items[at], &mut results),
            );
        });
    }
    (out, lse)
}
