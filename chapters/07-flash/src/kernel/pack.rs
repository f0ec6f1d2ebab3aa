//! Queries and keys in the order in which the tiles read them.

use super::real::Real;
use super::rows::Rows;
use super::tile::{KEYS, ROWS};
use std::ops::Range;

/// Keys, at most [`KEYS`], as a panel `(dim, KEYS)`, zeros for those that are missing.
pub(super) fn keys<T: Real>(from: Rows<T>, keys: Range<usize>, dim: usize, panel: &mut [T]) {
    const BLOCK: usize = 16; // as many rows are read, and numbers written, next to each other
    for start in (0..KEYS).step_by(BLOCK) {
        let rows: [&[T]; BLOCK] = std::array::from_fn(|at| {
            let key = keys.start + start + at;
            if key < keys.end { from.row(key, 0, dim) } else { &[] }
        });
        let full = rows.iter().all(|row| row.len() == dim);
        for (at, panel) in panel.chunks_exact_mut(KEYS).take(dim).enumerate() {
            let to = &mut panel[start..start + BLOCK];
            match full {
                true => to.iter_mut().zip(&rows).for_each(|(to, row)| *to = row[at]),
                false => to.iter_mut().zip(&rows).for_each(|(to, row)| {
                    *to = row.get(at).copied().unwrap_or(T::ZERO);
                }),
            }
        }
    }
}

/// Queries times `factor` in groups `(dim, ROWS)`, zeros for those that are missing in the last.
pub(super) fn queries<T: Real>(
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
