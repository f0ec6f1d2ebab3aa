//! The way back: gradients of q, k and v from that of the output, by computing the weights again from the log-sum-exp
//! (FlashAttention-2: Dao 2023, algorithm 2). Per tile, with P = exp(S − lse) and delta = rowsum(dO∘O):
//!
//! dV += Pᵀ·dO,  dS = P∘(dO·Vᵀ − delta) · scale,  dQ += dS·K,  dK += dSᵀ·Q.
//!
//! - [`plan`]: how the work is shared so that no two threads write to the same gradient, and sums have one order;
//! - [`nest`]: a chunk of queries and a chunk of keys: which tiles, in which order;
//! - [`tile`]: what a set of instructions must do: [`avx512`], [`avx2`], [`portable`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod nest;
mod plan;
mod portable;
mod tile;

use super::problem::Problem;
use super::real::Real;
use super::rows::Heads;
use super::share::share;
use nest::{Chunk, Scratch};
use plan::{Item, Parts, Plan};
use tile::BackTile;

/// An attention to go back through.
pub(crate) struct Backward<'a, T> {
    pub(crate) problem: &'a Problem<'a, T>,
    /// What it gave.
    pub(crate) out: Heads<'a, T>,
    /// The gradient of that.
    pub(crate) grad: Heads<'a, T>,
    /// Each row's log-sum-exp, `(batch, heads_q, seq_q)`, packed `(heads_q, total_q)`.
    pub(crate) lse: &'a [T],
    /// What the scores were multiplied by.
    pub(crate) scale: T,
}

/// Gradients in the order `(batch, heads, seq, dim)`, packed `(heads, total, dim)`.
pub(crate) struct Gradients<T> {
    pub(crate) q: Vec<T>,
    pub(crate) k: Vec<T>,
    pub(crate) v: Vec<T>,
}

/// The gradients, the same on any number of threads.
pub(super) fn gradients<T: BackTile>(tile: T, backward: &Backward<T::Real>) -> Gradients<T::Real> {
    let (problem, sizes) = (backward.problem, backward.problem.sizes);
    let (heads_q, heads_kv) = (sizes.heads_q, sizes.heads_kv);
    let zeros = |rows, dim| vec![T::Real::ZERO; rows * dim];
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
    let delta = deltas(tile, backward, &plan);
    let parts =
        |numbers, heads, dim, queries| Parts::new(problem, &plan, numbers, heads, dim, queries);
    let dq = parts(&mut gradients.q, heads_q, sizes.dim, true);
    let dk = parts(&mut gradients.k, heads_kv, sizes.dim, false);
    let dv = parts(&mut gradients.v, heads_kv, sizes.dim_v, false);
    for round in 0..plan.rounds {
        let items = plan.items(problem, round);
        let work = |scratch: &mut Scratch<T::Real>, at: usize| {
            let item @ Item { sequence, kv_head, chunk_k, .. } = &items[at];
            let heads = kv_head * sizes.group()..(kv_head + 1) * sizes.group();
            let mut dq: Vec<_> = heads.map(|head| dq.lock(*sequence, head, item.chunk_q)).collect();
            let mut dk = dk.lock(*sequence, *kv_head, *chunk_k);
            let mut dv = dv.lock(*sequence, *kv_head, *chunk_k);
            let mut dq: Vec<&mut [T::Real]> = dq.iter_mut().map(|dq| &mut ***dq).collect();
            let chunk = Chunk::new(backward, &delta, &plan, item);
            scratch.chunk(tile, &chunk, &mut dq, &mut dk, &mut dv);
        };
        share(items.len(), plan.threads, || Scratch::new(&sizes), work);
    }
    drop((dq, dk, dv));
    gradients
}

/// rowsum(dO∘O), a number for each row of the output, in the order of the log-sum-exp.
fn deltas<T: BackTile>(tile: T, backward: &Backward<T::Real>, plan: &Plan) -> Vec<T::Real> {
    let (problem, sizes) = (backward.problem, backward.problem.sizes);
    let mut delta = vec![T::Real::ZERO; sizes.heads_q * problem.queries()];
    let parts = Parts::new(problem, plan, &mut delta, sizes.heads_q, 1, true);
    let items = plan.chunks_of_queries(sizes.heads_q);
    let work = |_: &mut (), at: usize| {
        let (sequence, head, chunk) = items[at];
        let first = chunk * plan.cuts[sequence].queries;
        let out = backward.out.head(sequence, head).from(first);
        let grad = backward.grad.head(sequence, head).from(first);
        let mut delta = parts.lock(sequence, head, chunk);
        let rows = |row| (out.row(row, 0, sizes.dim_v), grad.row(row, 0, sizes.dim_v));
        tile.vectorised(
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
