//! What a set of instructions must do for one tile on the way back.

use crate::kernel::real::Real;
use crate::kernel::rows::Rows;
use crate::kernel::tile::{Edit, KEYS, LANES, Left, ROWS, Scores, Sum, Tile};

/// A group of queries and a panel of keys.
pub(in crate::kernel) struct BackStep<'a, T> {
    /// Queries, 1 ..= [`ROWS`].
    pub(super) rows: usize,
    /// Keys, 1 ..= [`KEYS`].
    pub(super) keys: usize,
    /// `(rows, dim)`
    pub(super) queries: Rows<'a, T>,
    /// dO, `(rows, dim_v)`
    pub(super) grads: Rows<'a, T>,
    /// Kᵀ, `(dim, KEYS)`
    pub(super) keys_panel: &'a [T],
    /// Vᵀ, `(dim_v, KEYS)`
    pub(super) values_panel: &'a [T],
    pub(super) dim: usize,
    pub(super) dim_v: usize,
    /// What Q·Kᵀ is multiplied by before the edit, and so that scores are in log2 units after it.
    pub(super) factor: T,
    /// What dO·Vᵀ is multiplied by.
    pub(super) scale: T,
    /// Log-sum-exp of each query in log2 units; +∞, and so weights of 0, where a query has nothing to see.
    pub(super) lse: [T; ROWS],
    /// rowsum(dO∘O) · scale of each query.
    pub(super) delta: [T; ROWS],
}

impl<T: Real> BackStep<'_, T> {
    /// Panics unless all that a tile reads by pointer is there.
    pub(super) fn check(&self) {
        assert!((1..=ROWS).contains(&self.rows) && (1..=KEYS).contains(&self.keys));
        assert!(self.keys_panel.len() >= self.dim * KEYS);
        assert!(self.values_panel.len() >= self.dim_v * KEYS);
        assert!(self.queries.has(self.rows, self.dim) && self.grads.has(self.rows, self.dim_v));
    }

    /// The columns of the tile that are computed.
    pub(super) fn columns(&self) -> usize {
        self.keys.next_multiple_of(LANES)
    }
}

/// Tiles W that follow each other, a matrix `(queries, KEYS)`, times a matrix.
pub(in crate::kernel) struct Product<'a, T> {
    pub(super) weights: &'a [Scores<T>],
    /// How many rows of the weights count.
    pub(super) queries: usize,
    /// How many columns of the weights count, up to [`KEYS`].
    pub(super) keys: usize,
    pub(super) right: Rows<'a, T>,
    /// Of `right`, and of what the product is added to.
    pub(super) columns: usize,
}

impl<T: Real> Product<'_, T> {
    /// Panics unless all that is read and written by pointer is there: `rows` of `out`, `inner` of `right`.
    fn check(&self, rows: usize, inner: usize, out: &[T]) {
        assert!(self.queries <= self.weights.len() * ROWS && self.keys <= KEYS);
        assert!(self.right.has(inner, self.columns) && out.len() >= rows * self.columns);
    }

    /// The tiles of `out` += W·right, or Wᵀ·right when `turned`, with up to `width` columns each: `add` gets the rows of
    /// each and what to sum, all of which is there.
    pub(super) fn tiles(
        &self,
        turned: bool,
        width: usize,
        out: &mut [T],
        mut add: impl FnMut(usize, Sum<T>),
    ) {
        let (rows, inner, by) = match turned {
            false => (self.queries, self.keys, (KEYS, 1)),
            true => (self.keys, self.queries, (1, KEYS)),
        };
        self.check(rows, inner, out);
        for row in (0..rows).step_by(ROWS) {
            for column in (0..self.columns).step_by(width) {
                let from = self.weights.as_ptr().cast::<T>().wrapping_add(row * by.0);
                let sum = Sum {
                    left: Left { from, row: by.0, column: by.1 },
                    inner,
                    right: self.right.numbers.as_ptr().wrapping_add(column),
                    right_row: self.right.stride,
                    out: out.as_mut_ptr().wrapping_add(row * self.columns + column),
                    out_row: self.columns,
                    columns: self.columns - column,
                };
                add((rows - row).min(ROWS), sum);
            }
        }
    }
}

/// What the way back needs of a set of instructions.
pub(in crate::kernel) trait BackTile: Tile {
    /// `weights` = P = 2^(factor · Q·Kᵀ − lse), with the scores changed by `edit` before; `slopes` =
    /// P∘(scale · dO·Vᵀ − delta). Columns after the keys are 0 in both; the edit makes those of the last [`LANES`] of the
    /// keys −∞. Rows after the queries are left anyhow.
    fn slopes(
        self,
        step: &BackStep<Self::Real>,
        edit: Option<Edit<Self::Real>>,
        weights: &mut Scores<Self::Real>,
        slopes: &mut Scores<Self::Real>,
    );

    /// `out` `(queries, columns)` += W·right.
    fn add(self, product: &Product<Self::Real>, out: &mut [Self::Real]);

    /// `out` `(keys, columns)` += Wᵀ·right.
    fn add_turned(self, product: &Product<Self::Real>, out: &mut [Self::Real]);
}
