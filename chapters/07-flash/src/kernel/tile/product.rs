//! A tile of a product, its sums in registers: rows of one matrix times vectors of another.

#![allow(unsafe_code, reason = "the innermost loops go through pointers, checked before")]

use super::shape::{KEYS, ROWS, Scores};
use super::sized::sized;
use crate::kernel::data::real::Real;
use crate::kernel::data::rows::Rows;
use crate::kernel::instructions::lanes::Lanes;

/// The left side of a product: number `(i, j)` is `numbers[i · row + j · column]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<'a, T: Real> Left<'a, T> {
    /// The rows of a matrix.
    pub(crate) fn rows(rows: Rows<'a, T>) -> Self {
        Self { numbers: rows.numbers, row: rows.stride, column: 1 }
    }

    /// The weights of tiles that follow each other: `(queries, KEYS)`.
    pub(crate) fn weights(tiles: &'a [Scores<T>]) -> Self {
        Self { numbers: Scores::rows(tiles).as_flattened(), row: KEYS, column: 1 }
    }

    /// The same turned, from a key on: `(KEYS − key, queries)`.
    pub(crate) fn turned(tiles: &'a [Scores<T>], key: usize) -> Self {
        Self { numbers: &Scores::rows(tiles).as_flattened()[key..], row: 1, column: KEYS }
    }

    /// Whether it has so many rows and columns.
    fn has(&self, rows: usize, columns: usize) -> bool {
        rows * columns == 0
            || (rows - 1) * self.row + (columns - 1) * self.column < self.numbers.len()
    }
}

/// left · right for `R` rows and `C` vectors: `left` has `inner` columns, `panel` `inner` rows of [`KEYS`], of which those
/// from `column` on are taken.
#[inline(always)]
pub(crate) fn product<L: Lanes, const R: usize, const C: usize>(
    lanes: L,
    left: Left<L::Number>,
    (panel, column): (&[L::Number], usize),
    inner: usize,
) -> [[L::Vector; C]; R] {
    assert!(left.has(R, inner));
    assert!(panel.len() >= inner * KEYS && column + C * L::WIDTH <= KEYS);
    let mut tile = [[lanes.splat(L::Number::ZERO); C]; R];
    let (mut factors, mut right) = (left.numbers.as_ptr(), panel.as_ptr().wrapping_add(column));
    for _ in 0..inner {
        // SAFETY: `left` has `R` rows and the panel a row for each of its columns.
        unsafe { add_row(lanes, &mut tile, (factors, left.row), load(lanes, right, None)) };
        factors = factors.wrapping_add(left.column);
        right = right.wrapping_add(KEYS);
    }
    tile
}

/// `out` += left · right.
pub(crate) struct Sum<'a, T> {
    /// `(rows, inner)`, 1 ..= [`ROWS`](super::shape::ROWS) of them.
    pub(crate) left: Left<'a, T>,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    /// `(inner, columns)`
    pub(crate) right: Rows<'a, T>,
    pub(crate) columns: usize,
    /// `(rows, columns)`, with so many numbers from a row to the next.
    pub(crate) out: &'a mut [T],
    pub(crate) out_row: usize,
}

impl<T: Real> Sum<'_, T> {
    /// Adds it, as many columns at a time as registers hold.
    pub(crate) fn add<L: Lanes<Number = T>>(&mut self, lanes: L) {
        assert!((1..=ROWS).contains(&self.rows) && self.left.has(self.rows, self.inner));
        assert!(self.right.has(self.inner, self.columns));
        assert!(self.out.len() >= (self.rows - 1) * self.out_row + self.columns);
        for column in (0..self.columns).step_by(L::VECTORS * L::WIDTH) {
            let there = self.columns - column;
            let vectors = there.div_ceil(L::WIDTH).min(L::VECTORS);
            let last = there - (vectors - 1) * L::WIDTH; // and all that follow
            sized!(lanes: L, R = self.rows, C = vectors => {
                let some = (last < L::WIDTH).then(|| lanes.first(last));
                // SAFETY: all is there, as was asserted; of the last vector `some`, where that is said.
                unsafe {
                    match some {
                        None => self.add_tile::<L, R, C>(lanes, column, None),
                        some => self.add_tile::<L, R, C>(lanes, column, some),
                    }
                }
            });
        }
    }

    /// Adds `C` vectors of columns; of the last only `some`, where that is said.
    ///
    /// # Safety
    /// `left`, `right` and `out` have what their docs say, with `R` rows and these columns.
    #[inline(always)]
    unsafe fn add_tile<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &mut self,
        lanes: L,
        column: usize,
        some: Option<L::Mask>,
    ) {
        let mut tile = [[lanes.splat(T::ZERO); C]; R];
        let out = self.out.as_mut_ptr().wrapping_add(column);
        let mut factors = self.left.numbers.as_ptr();
        let mut right = self.right.numbers.as_ptr().wrapping_add(column);
        // SAFETY: the caller's promise.
        unsafe {
            for (row, tile) in tile.iter_mut().enumerate() {
                *tile = load(lanes, out.wrapping_add(row * self.out_row), some);
            }
            for _ in 0..self.inner {
                add_row(lanes, &mut tile, (factors, self.left.row), load(lanes, right, some));
                factors = factors.wrapping_add(self.left.column);
                right = right.wrapping_add(self.right.stride);
            }
            for (row, tile) in tile.iter().enumerate() {
                store(lanes, out.wrapping_add(row * self.out_row), tile, some);
            }
        }
    }
}

/// Adds to each row of the tile `right` times a number: the first is at `factors.0`, the others so many numbers after
/// each other.
///
/// # Safety
/// These `R` numbers can be read.
#[inline(always)]
unsafe fn add_row<L: Lanes, const R: usize, const C: usize>(
    lanes: L,
    tile: &mut [[L::Vector; C]; R],
    factors: (*const L::Number, usize),
    right: [L::Vector; C],
) {
    for (row, sums) in tile.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let factor = lanes.splat(unsafe { *factors.0.wrapping_add(row * factors.1) });
        for (sum, right) in sums.iter_mut().zip(&right) {
            *sum = lanes.mul_add(factor, *right, *sum);
        }
    }
}

/// `C` vectors; of the last only `some`, where that is said.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn load<L: Lanes, const C: usize>(
    lanes: L,
    from: *const L::Number,
    some: Option<L::Mask>,
) -> [L::Vector; C] {
    let mut vectors = [lanes.splat(L::Number::ZERO); C];
    for (at, vector) in vectors.iter_mut().enumerate() {
        let from = from.wrapping_add(at * L::WIDTH);
        // SAFETY: the caller's promise.
        *vector = unsafe {
            match some {
                Some(there) if at + 1 == C => lanes.load_some(from, there),
                _ => lanes.load(from),
            }
        };
    }
    vectors
}

/// As [`load`], the other way.
///
/// # Safety
/// They can be written.
#[inline(always)]
unsafe fn store<L: Lanes, const C: usize>(
    lanes: L,
    to: *mut L::Number,
    vectors: &[L::Vector; C],
    some: Option<L::Mask>,
) {
    for (at, vector) in vectors.iter().enumerate() {
        let to = to.wrapping_add(at * L::WIDTH);
        // SAFETY: the caller's promise.
        unsafe {
            match some {
                Some(there) if at + 1 == C => lanes.store_some(to, there, *vector),
                _ => lanes.store(to, *vector),
            }
        }
    }
}
