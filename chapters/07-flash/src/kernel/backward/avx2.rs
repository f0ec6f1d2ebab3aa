//! The way back's tile for AVX2 and FMA: six queries by 16 keys at a time in 12 registers.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::tile::{BackStep, BackTile, Product};
use crate::kernel::avx2::{Avx2, WIDTH, add, exp2, product, sized};
use crate::kernel::tile::{Edit, LANES, Left, Scores};
use std::arch::x86_64::*;

impl BackTile for Avx2 {
    fn slopes(
        self,
        step: &BackStep<f32>,
        edit: Option<Edit<f32>>,
        weights: &mut Scores<f32>,
        slopes: &mut Scores<f32>,
    ) {
        step.check();
        let (queries, grads) = (step.queries, step.grads);
        let queries = Left { from: queries.numbers.as_ptr(), row: queries.stride, column: 1 };
        let grads = Left { from: grads.numbers.as_ptr(), row: grads.stride, column: 1 };
        for column in (0..step.keys).step_by(LANES) {
            let [keys, values] = [step.keys_panel, step.values_panel]
                .map(|panel| panel.as_ptr().wrapping_add(column));
            // SAFETY: `self` proves the instructions, `check` the lengths; a panel has `KEYS` columns.
            unsafe {
                sized!(step.rows, product(queries, keys, step.dim, column, weights));
                sized!(step.rows, product(grads, values, step.dim_v, column, slopes));
            }
        }
        let mut factor = step.factor;
        if let Some(edit) = edit {
            for row in &mut weights.0[..step.rows] {
                row.iter_mut().for_each(|score| *score *= factor);
            }
            factor = 1.;
            edit(weights);
        }
        for row in 0..step.rows {
            // SAFETY: `self` proves the instructions.
            unsafe { differentiate(row, factor, step, &mut weights.0[row], &mut slopes.0[row]) };
        }
    }

    fn add(self, product: &Product<f32>, out: &mut [f32]) {
        self.sum(product, false, out);
    }

    fn add_turned(self, product: &Product<f32>, out: &mut [f32]) {
        self.sum(product, true, out);
    }
}

impl Avx2 {
    fn sum(self, product: &Product<f32>, turned: bool, out: &mut [f32]) {
        product.tiles(turned, LANES, out, |rows, sum| {
            // SAFETY: `self` proves the instructions; `tiles` gives what is there.
            unsafe { sized!(rows, add(&sum)) }
        });
    }
}

/// One query's row: scores, not yet multiplied by `factor`, become weights, dO·Vᵀ becomes slopes.
#[target_feature(enable = "avx2,fma")]
fn differentiate(
    row: usize,
    factor: f32,
    step: &BackStep<f32>,
    weights: &mut [f32],
    slopes: &mut [f32],
) {
    let [factor, scale] = [factor, step.scale].map(|x| _mm256_set1_ps(x));
    let [lse, delta] = [step.lse[row], step.delta[row]].map(|x| _mm256_set1_ps(x));
    let columns = step.columns();
    let lanes = weights[..columns].as_chunks_mut::<WIDTH>().0.iter_mut();
    for (weights, slopes) in lanes.zip(slopes[..columns].as_chunks_mut::<WIDTH>().0) {
        // SAFETY: these have 8 numbers each.
        unsafe {
            let x = _mm256_fmsub_ps(_mm256_loadu_ps(weights.as_ptr()), factor, lse);
            // A weight is 1 at most; of NaN and a number, `min` gives the second.
            let weight = exp2(_mm256_min_ps(_mm256_setzero_ps(), x));
            let slope = _mm256_fmsub_ps(_mm256_loadu_ps(slopes.as_ptr()), scale, delta);
            _mm256_storeu_ps(weights.as_mut_ptr(), weight);
            _mm256_storeu_ps(slopes.as_mut_ptr(), _mm256_mul_ps(weight, slope));
        }
    }
    weights[columns..].fill(0.);
    slopes[columns..].fill(0.);
}
