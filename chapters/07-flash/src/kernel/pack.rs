//! Queries and keys in the order in which the tiles read them.

use super::real::Real;
use super::rows::Rows;
use super::tile::{KEYS, LANES, ROWS, Sixteen, Tile};
use std::ops::Range;

/// Keys, at most [`KEYS`], as a panel `(dim, KEYS)`. Zeros follow the last key up to a multiple of [`LANES`]; further
/// columns stay as they are, and are not read.
pub(super) fn keys<T: Real>(
    tile: impl Tile<Real = T>,
    from: Rows<T>,
    keys: Range<usize>,
    dim: usize,
    panel: &mut [T],
) {
    for (block, key) in keys.clone().step_by(LANES).enumerate() {
        let rows: Sixteen<T> =
            std::array::from_fn(
                |at| {
                    if key + at < keys.end { from.row(key + at, 0, dim) } else { &[] }
                },
            );
        let full = rows.iter().all(|row| row.len() == dim);
        let done = if full { tile.transpose(&rows, block * LANES, panel) } else { 0 };
        for (at, panel) in panel.chunks_exact_mut(KEYS).take(dim).enumerate().skip(done) {
            let to = panel[block * LANES..][..LANES].iter_mut().zip(&rows);
            match full {
                true => to.for_each(|(to, row)| *to = row[at]),
                false => to.for_each(|(to, row)| *to = row.get(at).copied().unwrap_or(T::ZERO)),
            }
        }
    }
}

/// Values as rows that begin `stride` numbers after each other.
pub(super) fn values<T: Real>(
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
