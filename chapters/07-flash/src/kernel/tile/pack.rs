//! Queries and keys in the order in which the tiles read them.

#![allow(unsafe_code, reason = "the innermost loops go through pointers, checked before")]

use super::shape::{KEYS, ROWS, WIDEST};
use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Rows;
use crate::kernel::instructions::lanes::Lanes;
use std::ops::Range;

/// Keys, at most [`KEYS`], as a panel `(dim, KEYS)`. Zeros follow the last key up to a multiple of [`WIDEST`]; further
/// columns stay as they are, and are not read.
pub(crate) fn keys<L: Lanes>(
    lanes: L,
    from: Rows<L::Number>,
    keys: Range<usize>,
    dim: usize,
    panel: &mut [L::Number],
) {
    for (block, key) in keys.clone().step_by(WIDEST).enumerate() {
        let rows: [&[L::Number]; WIDEST] =
            std::array::from_fn(
                |at| {
                    if key + at < keys.end { from.row(key + at, 0, dim) } else { &[] }
                },
            );
        let (column, full) = (block * WIDEST, rows.iter().all(|row| row.len() == dim));
        let done = if full { transpose(lanes, &rows, column, panel) } else { 0 };
        for (at, panel) in panel.chunks_exact_mut(KEYS).take(dim).enumerate().skip(done) {
            let to = panel[column..][..WIDEST].iter_mut().zip(&rows);
            match full {
                true => to.for_each(|(to, row)| *to = row[at]),
                false => to.for_each(|(to, row)| *to = *row.get(at).unwrap_or(&L::Number::ZERO)),
            }
        }
    }
}

/// Rows as columns `column ..` of a panel: as many numbers of each as fill vectors, and says how many.
fn transpose<L: Lanes>(
    lanes: L,
    rows: &[&[L::Number]; WIDEST],
    column: usize,
    panel: &mut [L::Number],
) -> usize {
    let dim = rows.iter().map(|row| row.len()).min().unwrap_or(0) / L::WIDTH * L::WIDTH;
    assert!(column + WIDEST <= KEYS && panel.len() >= dim * KEYS);
    lanes.vectorised(
        #[inline(always)]
        || {
            for at in (0..dim).step_by(L::WIDTH) {
                let to = panel.as_mut_ptr().wrapping_add(at * KEYS + column);
                for (part, rows) in rows.chunks_exact(L::WIDTH).enumerate() {
                    let mut square = [lanes.splat(L::Number::ZERO); WIDEST];
                    let square = &mut square[..L::WIDTH];
                    for (vector, row) in square.iter_mut().zip(rows) {
                        // SAFETY: each row has `dim` numbers.
                        *vector = unsafe { lanes.load(row.as_ptr().add(at)) };
                    }
                    lanes.transpose(square);
                    for (row, vector) in square.iter().enumerate() {
                        let to = to.wrapping_add(row * KEYS + part * L::WIDTH);
                        // SAFETY: the panel has `dim` rows.
                        unsafe { lanes.store(to, *vector) };
                    }
                }
            }
        },
    );
    dim
}

/// Values as rows that begin `stride` numbers after each other.
pub(crate) fn values<T: Real>(
    from: Rows<T>,
    keys: Range<usize>,
    (dim_v, stride): (usize, usize),
    panel: &mut [T],
) {
    for (to, key) in panel.chunks_exact_mut(stride.max(1)).zip(keys) {
        to[..dim_v].copy_from_slice(from.row(key, 0, dim_v));
    }
}

/// Queries times `factor` in groups `(dim, ROWS)`, zeros for those that are missing in the last.
pub(crate) fn queries<T: Real>(
    from: Rows<T>,
    queries: Range<usize>,
    (dim, factor): (usize, T),
    groups: &mut [T],
) {
    for (group, first) in queries.clone().step_by(ROWS).enumerate() {
        let group = &mut groups[group * dim * ROWS..][..dim * ROWS];
        let rows: [&[T]; ROWS] = std::array::from_fn(|at| {
            if first + at < queries.end { from.row(first + at, 0, dim) } else { &[] }
        });
        let full = rows.iter().all(|row| row.len() == dim);
        for (at, to) in group.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            *to = match full {
                true => rows.map(|row| row[at] * factor),
                false => rows.map(|row| row.get(at).map_or(T::ZERO, |x| *x * factor)),
            };
        }
    }
}
