//! What a set of instructions must do for one tile: [`ROWS`] queries and [`KEYS`] keys.

use super::real::Real;
use super::rows::Rows;

/// The queries of a tile. Six rows of four AVX-512 registers leave eight registers for keys and a query's number.
pub(super) const ROWS: usize = 6;
/// The keys of a panel.
pub(super) const KEYS: usize = 64;
/// The sums of weights that a row keeps side by side; rows of the output are padded to a multiple of it.
pub(super) const LANES: usize = 16;
/// How much a maximum may grow, in log2 units, before sums and output are brought down to the new one. Weights stay
/// below 2⁸: far from overflow, and hardly any tile after the first rescales.
pub(super) const LAZY: f32 = 8.;

/// Scores, and then weights, of a tile. Tiles that follow each other in memory are one matrix.
#[repr(C, align(64))]
pub(super) struct Scores<T>(pub(super) [[T; KEYS]; ROWS]);

/// What the online softmax keeps of each query.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct State<T> {
    /// `l`, the sum of the weights so far, in parts.
    pub(super) sum: [[T; LANES]; ROWS],
    /// `m`, the maximum that the weights are relative to, times log2 e.
    pub(super) max: [T; ROWS],
}

impl<T: Real> State<T> {
    pub(super) fn new() -> Self {
        Self { sum: [[T::ZERO; LANES]; ROWS], max: [T::NEG_INFINITY; ROWS] }
    }
}

/// A group of queries and a panel of keys.
pub(super) struct Step<'a, T> {
    /// Queries, 1 ..= [`ROWS`].
    pub(super) rows: usize,
    /// Keys, 1 ..= [`KEYS`].
    pub(super) keys: usize,
    /// Numbers of a query and of a key.
    pub(super) dim: usize,
    /// `(dim, ROWS)`
    pub(super) queries: &'a [T],
    /// `(dim, KEYS)`
    pub(super) panel: &'a [T],
    /// `(keys, dim_v)`
    pub(super) values: Rows<'a, T>,
    pub(super) dim_v: usize,
}

/// The output of a group of queries, not yet divided by the sum of weights: `(ROWS, stride)`.
pub(super) struct Output<'a, T> {
    pub(super) numbers: &'a mut [T],
    /// A multiple of [`LANES`].
    pub(super) stride: usize,
}

impl<T: Real> Step<'_, T> {
    /// Panics unless all that a tile reads and writes by pointer is there.
    pub(super) fn check(&self, out: &Output<T>) {
        assert!((1..=ROWS).contains(&self.rows) && (1..=KEYS).contains(&self.keys));
        assert!(self.queries.len() >= self.dim * ROWS && self.panel.len() >= self.dim * KEYS);
        assert!(out.stride.is_multiple_of(LANES) && out.stride >= self.dim_v);
        assert!(out.numbers.len() >= ROWS * out.stride);
        let last = (self.keys - 1) * self.values.stride;
        assert!(self.dim_v == 0 || self.values.numbers.len() >= last + self.dim_v);
    }
}

/// The left side of a product as the tiles read it: number `(i, j)` is at `from + i · row + j · column`.
#[derive(Clone, Copy)]
pub(super) struct Left<T> {
    pub(super) from: *const T,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// `out` += left · right, for a tile of `out`: some rows, `columns` columns. Whoever computes it by pointer needs `left`
/// `(rows, inner)`, `right` `(inner, columns)` with `right_row` numbers from a row to the next, and `out`
/// `(rows, columns)` with `out_row`.
pub(super) struct Sum<T> {
    pub(super) left: Left<T>,
    pub(super) inner: usize,
    pub(super) right: *const T,
    pub(super) right_row: usize,
    pub(super) out: *mut T,
    pub(super) out_row: usize,
    pub(super) columns: usize,
}

impl<T> Step<'_, T> {
    /// `out` += weights · V from a column on.
    pub(super) fn sum(&self, column: usize, weights: &Scores<T>, out: &mut Output<T>) -> Sum<T> {
        Sum {
            left: Left { from: weights.0.as_ptr().cast(), row: KEYS, column: 1 },
            inner: self.keys,
            right: self.values.numbers.as_ptr().wrapping_add(column),
            right_row: self.values.stride,
            out: out.numbers.as_mut_ptr().wrapping_add(column),
            out_row: out.stride,
            columns: self.dim_v - column,
        }
    }
}

/// Rows to be packed together.
pub(super) type Sixteen<'a, T> = [&'a [T]; LANES];

/// Changes a tile of scores.
pub(super) type Edit<'a, T> = &'a mut dyn FnMut(&mut Scores<T>);

/// A set of instructions. To have one is to know that the processor has them.
pub(super) trait Tile: Copy + Send + Sync {
    type Real: Real;

    /// `scores` = 2^(Q·Kᵀ − m), with the scores changed by `edit` before and `state` brought up to date; where m grew,
    /// `out` is made smaller. Columns after the last key of the step are left anyhow; the edit makes those of its
    /// last [`LANES`] −∞.
    fn weights(
        self,
        step: &Step<Self::Real>,
        edit: Option<Edit<Self::Real>>,
        scores: &mut Scores<Self::Real>,
        state: &mut State<Self::Real>,
        out: &mut Output<Self::Real>,
    );

    /// `out` += weights · V.
    fn add_values(
        self,
        step: &Step<Self::Real>,
        weights: &Scores<Self::Real>,
        out: &mut Output<Self::Real>,
    );

    /// Sixteen rows of the same length as columns `column ..` of a panel: as many numbers of each row as go fast, and
    /// says how many.
    fn transpose(
        self,
        _rows: &Sixteen<Self::Real>,
        _column: usize,
        _panel: &mut [Self::Real],
    ) -> usize {
        0
    }

    /// Runs `work` compiled for these instructions, where it is `#[inline(always)]`.
    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R;
}
