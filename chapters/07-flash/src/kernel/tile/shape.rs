//! A tile's shape, and its scores.

#![allow(unsafe_code, reason = "tiles that follow each other are seen as one matrix")]

use crate::kernel::data::real::Real;
use crate::kernel::instructions::lanes::Lanes;

/// The queries of a tile. Six rows of four AVX-512 registers leave eight registers for keys and a query's number.
pub(crate) const ROWS: usize = 6;
/// The keys of a panel.
pub(crate) const KEYS: usize = 64;
/// Numbers of the widest vector. Columns are computed in multiples of it and sums of weights kept in as many parts, so
/// that all sets of instructions have the same order of sums; rows of the output are padded to a multiple of it.
pub(crate) const WIDEST: usize = 16;

/// Scores, and then weights, of a tile. Tiles that follow each other in memory are one matrix.
#[repr(C, align(64))]
pub(crate) struct Scores<T>(pub(crate) [[T; KEYS]; ROWS]);

/// Changes a tile of scores.
pub(crate) type Edit<'a, T> = &'a mut dyn FnMut(&mut Scores<T>);

impl<T: Real> Scores<T> {
    /// Zeros.
    pub(crate) fn new() -> Self {
        Self([[T::ZERO; KEYS]; ROWS])
    }

    /// The rows of these tiles, one after the other.
    pub(crate) fn rows(tiles: &[Self]) -> &[[T; KEYS]] {
        const { assert!(size_of::<Self>() == size_of::<[[T; KEYS]; ROWS]>()) };
        // SAFETY: a tile is its rows and nothing more.
        unsafe { std::slice::from_raw_parts(tiles.as_ptr().cast(), tiles.len() * ROWS) }
    }

    /// From registers: columns `column ..`.
    #[inline(always)]
    pub(crate) fn put<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &mut self,
        lanes: L,
        column: usize,
        tile: &[[L::Vector; C]; R],
    ) {
        for (row, tile) in self.0.iter_mut().zip(tile) {
            let row = &mut lanes.vectors(row)[column / L::WIDTH..][..C];
            row.iter_mut().zip(tile).for_each(|(to, x)| *to = *x);
        }
    }

    /// To registers: columns `column ..`.
    #[inline(always)]
    pub(crate) fn get<L: Lanes<Number = T>, const R: usize, const C: usize>(
        &mut self,
        lanes: L,
        column: usize,
    ) -> [[L::Vector; C]; R] {
        let mut tile = [[lanes.splat(T::ZERO); C]; R];
        for (row, tile) in self.0.iter_mut().zip(&mut tile) {
            let row = &lanes.vectors(row)[column / L::WIDTH..][..C];
            tile.iter_mut().zip(row).for_each(|(to, x)| *to = *x);
        }
        tile
    }
}
