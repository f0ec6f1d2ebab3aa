//! The way back's tile for AVX-512: six queries by 64 keys in 24 registers.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::tile::{BackStep, BackTile, Product};
use crate::kernel::avx512::{Avx512, add, exp2, product, sized, store};
use crate::kernel::tile::{Edit, LANES, Left, Scores};
use std::arch::x86_64::*;

impl BackTile for Avx512 {
    fn slopes(
        self,
        step: &BackStep<f32>,
        edit: Option<Edit<f32>>,
        weights: &mut Scores<f32>,
        slopes: &mut Scores<f32>,
    ) {
        step.check();
        // SAFETY: `self` proves the instructions, `check` the lengths.
        unsafe {
            sized!(step.rows, step.columns() / LANES, differentiate(step, edit, weights, slopes))
        }
    }

    fn add(self, product: &Product<f32>, out: &mut [f32]) {
        self.sum(product, false, out);
    }

    fn add_turned(self, product: &Product<f32>, out: &mut [f32]) {
        self.sum(product, true, out);
    }
}

impl Avx512 {
    fn sum(self, product: &Product<f32>, turned: bool, out: &mut [f32]) {
        product.tiles(turned, 4 * LANES, out, |rows, sum| {
            let vectors = sum.columns.div_ceil(LANES);
            // SAFETY: `self` proves the instructions; `tiles` gives what is there.
            unsafe { sized!(rows, vectors, add(&sum)) }
        });
    }
}

/// `R` queries and `16 · C` keys.
///
/// # Safety
/// [`BackStep::check`] has passed, `R` is `step.rows`, and `16 · C` is `step.columns()`.
#[target_feature(enable = "avx512f")]
unsafe fn differentiate<const R: usize, const C: usize>(
    step: &BackStep<f32>,
    edit: Option<Edit<f32>>,
    weights: &mut Scores<f32>,
    slopes: &mut Scores<f32>,
) {
    let left = Left { from: step.queries.numbers.as_ptr(), row: step.queries.stride, column: 1 };
    // SAFETY: `check` found `R` queries and the panel.
    let mut tile = unsafe { product::<R, C>(left, step.keys_panel.as_ptr(), step.dim) };
    let mut factor = _mm512_set1_ps(step.factor);
    if let Some(edit) = edit {
        for lane in tile.iter_mut().flatten() {
            *lane = _mm512_mul_ps(*lane, factor);
        }
        factor = _mm512_set1_ps(1.);
        // SAFETY: scores have `ROWS` rows of `KEYS` numbers, and start at a multiple of 64 bytes.
        unsafe { store(&tile, weights.0.as_mut_ptr().cast()) };
        edit(weights);
        for (tile, weights) in tile.iter_mut().zip(&weights.0) {
            for (lane, weights) in tile.iter_mut().zip(weights.as_chunks::<LANES>().0) {
                // SAFETY: a lane has 16 numbers.
                *lane = unsafe { _mm512_loadu_ps(weights.as_ptr()) };
            }
        }
    }
    for (row, tile) in tile.iter_mut().enumerate() {
        let lse = _mm512_set1_ps(step.lse[row]);
        for lane in tile {
            // A weight is 1 at most; of NaN and a number, `min` gives the second.
            let x = _mm512_fmsub_ps(*lane, factor, lse);
            *lane = exp2(_mm512_min_ps(_mm512_setzero_ps(), x));
        }
    }
    // SAFETY: as for the edit.
    unsafe { store(&tile, weights.0.as_mut_ptr().cast()) };

    let left = Left { from: step.grads.numbers.as_ptr(), row: step.grads.stride, column: 1 };
    // SAFETY: `check` found `R` rows of dO and the panel.
    let mut tile = unsafe { product::<R, C>(left, step.values_panel.as_ptr(), step.dim_v) };
    let scale = _mm512_set1_ps(step.scale);
    for (row, tile) in tile.iter_mut().enumerate() {
        let delta = _mm512_set1_ps(step.delta[row]);
        for (lane, weights) in tile.iter_mut().zip(weights.0[row].as_chunks::<LANES>().0) {
            // SAFETY: a lane has 16 numbers.
            let weights = unsafe { _mm512_loadu_ps(weights.as_ptr()) };
            *lane = _mm512_mul_ps(weights, _mm512_fmsub_ps(*lane, scale, delta));
        }
    }
    // SAFETY: as for the edit.
    unsafe { store(&tile, slopes.0.as_mut_ptr().cast()) };
    for row in weights.0[..R].iter_mut().chain(&mut slopes.0[..R]) {
        row[C * LANES..].fill(0.);
    }
}
