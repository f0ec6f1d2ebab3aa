//! The way back's tile in plain Rust.

use super::tile::{BackStep, BackTile, Product};
use crate::kernel::portable::Portable;
use crate::kernel::real::Real;
use crate::kernel::rows::Rows;
use crate::kernel::tile::{Edit, KEYS, ROWS, Scores};

impl<T: Real> BackTile for Portable<T> {
    fn slopes(
        self,
        step: &BackStep<T>,
        edit: Option<Edit<T>>,
        weights: &mut Scores<T>,
        slopes: &mut Scores<T>,
    ) {
        let columns = step.columns();
        dots(step.rows, step.queries, (step.keys_panel, step.dim), columns, weights);
        dots(step.rows, step.grads, (step.values_panel, step.dim_v), columns, slopes);
        for row in &mut weights.0[..step.rows] {
            row.iter_mut().for_each(|score| *score *= step.factor);
        }
        if let Some(edit) = edit {
            edit(weights);
        }
        for row in 0..step.rows {
            let (lse, delta) = (step.lse[row], step.delta[row]);
            let (weights, slopes) = (&mut weights.0[row], &mut slopes.0[row]);
            for (weight, slope) in weights[..columns].iter_mut().zip(&mut slopes[..columns]) {
                // A weight is 1 at most; NaN stays NaN.
                let x = *weight - lse;
                *weight = if x > T::ZERO { T::ZERO } else { x }.exp2();
                *slope = *weight * (*slope * step.scale - delta);
            }
            weights[columns..].fill(T::ZERO);
            slopes[columns..].fill(T::ZERO);
        }
    }

    fn add(self, product: &Product<T>, out: &mut [T]) {
        let row = |row: usize| &product.weights[row / ROWS].0[row % ROWS];
        sum((product.queries, product.keys), |i, j| row(i)[j], product, out);
    }

    fn add_turned(self, product: &Product<T>, out: &mut [T]) {
        let row = |row: usize| &product.weights[row / ROWS].0[row % ROWS];
        sum((product.keys, product.queries), |i, j| row(j)[i], product, out);
    }
}

/// Each of the rows times `columns` columns of a panel.
fn dots<T: Real>(
    rows: usize,
    from: Rows<T>,
    (panel, dim): (&[T], usize),
    columns: usize,
    scores: &mut Scores<T>,
) {
    // Missing rows are the last one once more: what comes of them is not looked at.
    let rows: [&[T]; ROWS] = std::array::from_fn(|row| from.row(row.min(rows - 1), 0, dim));
    match size_of::<T>() {
        8 => (0..columns).step_by(4).for_each(|column| dot::<T, 4>(&rows, panel, column, scores)),
        _ => (0..columns).step_by(8).for_each(|column| dot::<T, 8>(&rows, panel, column, scores)),
    }
}

/// `WIDTH` columns of it.
#[inline(always)]
fn dot<T: Real, const WIDTH: usize>(
    rows: &[&[T]; ROWS],
    panel: &[T],
    column: usize,
    scores: &mut Scores<T>,
) {
    let mut sums = [[T::ZERO; WIDTH]; ROWS];
    for (at, keys) in panel.chunks_exact(KEYS).enumerate().take(rows[0].len()) {
        let keys: &[T; WIDTH] = keys[column..].first_chunk().expect("a panel's width");
        for (sums, row) in sums.iter_mut().zip(rows) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += row[at] * *key;
            }
        }
    }
    for (scores, sums) in scores.0.iter_mut().zip(&sums) {
        scores[column..column + WIDTH].copy_from_slice(sums);
    }
}

/// `out` += left · right, with a left side of `rows` and `inner` columns.
#[inline(always)]
fn sum<T: Real>(
    (rows, inner): (usize, usize),
    left: impl Fn(usize, usize) -> T + Copy,
    product: &Product<T>,
    out: &mut [T],
) {
    let columns = product.columns;
    for first in (0..rows).step_by(ROWS) {
        // A missing row is the last one once more, and is not written.
        let left = |i: usize, j: usize| left((first + i).min(rows - 1), j);
        let rows = (rows - first).min(ROWS);
        let out = &mut out[first * columns..];
        let mut column = 0;
        while column + 8 <= columns && size_of::<T>() == 4 {
            tile::<T, 8>((rows, inner), left, product, column, out);
            column += 8;
        }
        while column + 4 <= columns {
            tile::<T, 4>((rows, inner), left, product, column, out);
            column += 4;
        }
        for column in column..columns {
            tile::<T, 1>((rows, inner), left, product, column, out);
        }
    }
}

/// `WIDTH` columns of up to [`ROWS`] rows.
#[inline(always)]
fn tile<T: Real, const WIDTH: usize>(
    (rows, inner): (usize, usize),
    left: impl Fn(usize, usize) -> T,
    product: &Product<T>,
    column: usize,
    out: &mut [T],
) {
    let mut sums = [[T::ZERO; WIDTH]; ROWS];
    for j in 0..inner {
        let right = &product.right.numbers[j * product.right.stride + column..];
        let right: &[T; WIDTH] = right.first_chunk().expect("a row's width");
        for (i, sums) in sums.iter_mut().enumerate() {
            let left = left(i, j);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * *right;
            }
        }
    }
    for (out, sums) in out.chunks_mut(product.columns).zip(&sums).take(rows) {
        out[column..column + WIDTH].iter_mut().zip(sums).for_each(|(out, sum)| *out += *sum);
    }
}
