//! The tile in plain Rust: the twin of the others, for every processor and for f64. The loops over arrays become
//! vector instructions.

use super::real::Real;
use super::tile::{Edit, LANES, LAZY, Output, ROWS, Scores, State, Step, Tile};
use std::marker::PhantomData;

/// No instructions but those that every processor has.
pub(super) struct Portable<T>(PhantomData<T>);

impl<T> Default for Portable<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Portable<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Portable<T> {}

impl<T: Real> Tile for Portable<T> {
    type Real = T;

    fn weights(
        self,
        step: &Step<T>,
        edit: Option<Edit<T>>,
        scores: &mut Scores<T>,
        state: &mut State<T>,
        out: &mut Output<T>,
    ) {
        let columns = step.keys.next_multiple_of(LANES);
        match size_of::<T>() {
            8 => (0..columns).step_by(4).for_each(|column| product::<T, 4>(step, column, scores)),
            _ => (0..columns).step_by(8).for_each(|column| product::<T, 8>(step, column, scores)),
        }
        if let Some(edit) = edit {
            edit(scores);
        }
        for row in 0..step.rows {
            let out = &mut out.numbers[row * out.stride..][..out.stride];
            soften(&mut scores.0[row][..columns], &mut state.max[row], &mut state.sum[row], out);
        }
    }

    fn add_values(self, step: &Step<T>, weights: &Scores<T>, out: &mut Output<T>) {
        let mut column = 0;
        while column + 8 <= step.dim_v && size_of::<T>() == 4 {
            add::<T, 8>(step, column, weights, out);
            column += 8;
        }
        while column + 4 <= step.dim_v {
            add::<T, 4>(step, column, weights, out);
            column += 4;
        }
        (column..step.dim_v).for_each(|column| add::<T, 1>(step, column, weights, out));
    }

    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// `WIDTH` columns of Q·Kᵀ.
#[inline(always)]
fn product<T: Real, const WIDTH: usize>(step: &Step<T>, column: usize, scores: &mut Scores<T>) {
    let mut sums = [[T::ZERO; WIDTH]; ROWS];
    let (queries, _) = step.queries.as_chunks::<ROWS>();
    let panel = step.panel.chunks_exact(super::tile::KEYS);
    for (queries, keys) in queries.iter().zip(panel).take(step.dim) {
        let keys: &[T; WIDTH] = keys[column..].first_chunk().expect("a panel's width");
        for (sums, query) in sums.iter_mut().zip(queries) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += *query * *key;
            }
        }
    }
    for (scores, sums) in scores.0.iter_mut().zip(&sums) {
        scores[column..column + WIDTH].copy_from_slice(sums);
    }
}

// ANCHOR: soften
/// One query's step of the online softmax: scores become weights.
#[inline(always)]
fn soften<T: Real>(scores: &mut [T], max: &mut T, sum: &mut [T; LANES], out: &mut [T]) {
    let larger = |a: T, b: T| if a > b { a } else { b };
    let (lanes, _) = scores.as_chunks_mut::<LANES>();
    let mut tops = [T::NEG_INFINITY; LANES];
    for lane in lanes.iter() {
        tops = std::array::from_fn(|at| larger(lane[at], tops[at]));
    }
    let top = tops.into_iter().fold(T::NEG_INFINITY, larger);
    if top > *max + T::from_f64(LAZY.into()) {
        let down = (*max - top).exp2(); // 0 the first time
        sum.iter_mut().chain(out).for_each(|x| *x *= down);
        *max = top;
    }
    // −∞ − −∞ would be NaN; −∞ − 0 gives weights of 0.
    let base = if *max == T::NEG_INFINITY { T::ZERO } else { *max };
    for lane in lanes {
        for (score, sum) in lane.iter_mut().zip(&mut *sum) {
            *score = (*score - base).exp2();
            *sum += *score;
        }
    }
}
// ANCHOR_END: soften

/// `WIDTH` columns of weights · V.
#[inline(always)]
fn add<T: Real, const WIDTH: usize>(
    step: &Step<T>,
    column: usize,
    weights: &Scores<T>,
    out: &mut Output<T>,
) {
    let at = |row: usize| row * out.stride + column;
    let mut sums: [[T; WIDTH]; ROWS] =
        std::array::from_fn(|row| std::array::from_fn(|lane| out.numbers[at(row) + lane]));
    for key in 0..step.keys {
        let values = &step.values.numbers[key * step.values.stride + column..];
        let values: &[T; WIDTH] = values.first_chunk().expect("a value's width");
        for (sums, weights) in sums.iter_mut().zip(&weights.0) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += weights[key] * *value;
            }
        }
    }
    // Rows after the last query hold anything: they are not written back.
    for (row, sums) in sums.iter().enumerate().take(step.rows) {
        let at = row * out.stride + column;
        out.numbers[at..at + WIDTH].copy_from_slice(sums);
    }
}
