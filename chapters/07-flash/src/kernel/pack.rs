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
        for at in 0..ROWS {
            let to = group.iter_mut().skip(at).step_by(ROWS);
            match first + at < queries.end {
                true => to.zip(from.row(first + at, 0, dim)).for_each(|(to, x)| *to = *x * factor),
                false => to.for_each(|to| *to = T::ZERO),
            }
        }
    }
}
