//! The way back: gradients of q, k and v from that of the output, by computing the weights again from the log-sum-exp
//! (FlashAttention-2: Dao 2023, algorithm 2). Per tile, with P = exp(S − lse) and delta = rowsum(dO∘O):
//!
//! dV += Pᵀ·dO,  dS = P∘(dO·Vᵀ − delta) · scale,  dQ += dS·K,  dK += dSᵀ·Q.
//!
//! - [`problem`]: what is given and what is found;
//! - [`plan`]: how the work is shared so that no two threads write to the same gradient, and sums have one order;
//! - [`chunk`]: a chunk of queries and a chunk of keys: which tiles, in which order; [`slopes`]: P and dS of a tile.

mod chunk;
mod plan;
pub(super) mod problem;
mod slopes;

use super::data::real::Real;
use super::instructions::lanes::Lanes;
use super::work::share::share;
use chunk::{Chunk, Scratch};
use plan::{Item, Parts, Plan};
use problem::{Backward, Gradients};

/// The gradients, the same on any number of threads.
pub(super) fn gradients<L: Lanes>(
    lanes: L,
    backward: &Backward<L::Number>,
) -> Gradients<L::Number> {
    let (problem, sizes) = (backward.problem, backward.problem.sizes);
    let (heads_q, heads_kv) = (sizes.heads_q, sizes.heads_kv);
    let zeros = |rows, dim| vec![L::Number::ZERO; rows * dim];
    let (rows_q, rows_k) = (heads_q * problem.queries(), heads_kv * problem.keys());
    let mut gradients = Gradients {
        q: zeros(rows_q, sizes.dim),
        k: zeros(rows_k, sizes.dim),
        v: zeros(rows_k, sizes.dim_v),
    };
    if rows_q == 0 || rows_k == 0 {
        return gradients;
    }
    let plan = Plan::new(problem);
    let delta = deltas(lanes, backward, &plan);
    let parts =
        |numbers, heads, dim, queries| Parts::new(problem, &plan, numbers, heads, dim, queries);
    let dq = parts(&mut gradients.q, heads_q, sizes.dim, true);
    let dk = parts(&mut gradients.k, heads_kv, sizes.dim, false);
    let dv = parts(&mut gradients.v, heads_kv, sizes.dim_v, false);
    for round in 0..plan.rounds {
        let items = plan.items(problem, round);
        let work = |scratch: &mut Scratch<L::Number>, at: usize| {
            let item @ Item { sequence, kv_head, chunk_k, .. } = &items[at];
            let heads = kv_head * sizes.group()..(kv_head + 1) * sizes.group();
            let mut dq: Vec<_> = heads.map(|head| dq.lock(*sequence, head, item.chunk_q)).collect();
            let mut dk = dk.lock(*sequence, *kv_head, *chunk_k);
            let mut dv = dv.lock(*sequence, *kv_head, *chunk_k);
            let mut dq: Vec<&mut [L::Number]> = dq.iter_mut().map(|dq| &mut ***dq).collect();
            let chunk = Chunk::new(backward, &delta, &plan, item);
            scratch.chunk(lanes, &chunk, &mut dq, &mut dk, &mut dv);
        };
        share(items.len(), plan.threads, || Scratch::new(&sizes), work);
    }
    drop((dq, dk, dv));
    gradients
}

/// rowsum(dO∘O), a number for each row of the output, in the order of the log-sum-exp.
fn deltas<L: Lanes>(lanes: L, backward: &Backward<L::Number>, plan: &Plan) -> Vec<L::Number> {
    let (problem, sizes) = (backward.problem, backward.problem.sizes);
    let mut delta = vec![L::Number::ZERO; sizes.heads_q * problem.queries()];
    let parts = Parts::new(problem, plan, &mut delta, sizes.heads_q, 1, true);
    let items = plan.chunks_of_queries(sizes.heads_q);
    let work = |_: &mut (), at: usize| {
        let (sequence, head, chunk) = items[at];
        let first = chunk * plan.cuts[sequence].queries;
        let out = backward.out.head(sequence, head).from(first);
        let grad = backward.grad.head(sequence, head).from(first);
        let mut delta = parts.lock(sequence, head, chunk);
        let rows = |row| (out.row(row, 0, sizes.dim_v), grad.row(row, 0, sizes.dim_v));
        lanes.vectorised(
            #[inline(always)]
            || delta.iter_mut().enumerate().for_each(|(row, delta)| *delta = dot(rows(row))),
        );
    };
    share(items.len(), plan.threads, || (), work);
    drop(parts);
    delta
}

/// The sum of products, in lanes side by side.
#[inline(always)]
fn dot<T: Real>((a, b): (&[T], &[T])) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [T::ZERO; 16];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += *a * *b);
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| *a * *b);
    sums.into_iter().chain(rest).fold(T::ZERO, |sum, x| sum + x)
}
