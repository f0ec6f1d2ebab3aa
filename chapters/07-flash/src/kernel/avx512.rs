//! The tile for AVX-512: six queries by 64 keys in 24 registers, and the softmax while the scores are still there.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::real::EXP2;
use super::tile::{
    Edit, KEYS, LANES, LAZY, Left, Output, ROWS, Scores, Sixteen, State, Step, Sum, Tile,
};
use std::arch::x86_64::*;

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

/// Calls `$f::<R, C>` for a number of rows and of vectors that is known only now.
macro_rules! sized {
    ($rows:expr, $vectors:expr, $f:ident $args:tt) => {
        match $rows {
            1 => sized!(@1, $vectors, $f $args),
            2 => sized!(@2, $vectors, $f $args),
            3 => sized!(@3, $vectors, $f $args),
            4 => sized!(@4, $vectors, $f $args),
            5 => sized!(@5, $vectors, $f $args),
            _ => sized!(@6, $vectors, $f $args),
        }
    };
    (@$rows:literal, $vectors:expr, $f:ident $args:tt) => {
        match $vectors {
            1 => $f::<$rows, 1> $args,
            2 => $f::<$rows, 2> $args,
            3 => $f::<$rows, 3> $args,
            _ => $f::<$rows, 4> $args,
        }
    };
}

pub(super) use sized;

/// `$body` for each row `0..$rows`, written out: a loop that the compiler leaves a loop would keep the tile in memory.
macro_rules! each_row {
    ($rows:ident, $row:ident, $body:block) => { each_row!(@0 1 2 3 4 5, $rows, $row, $body) };
    (@$($at:literal)*, $rows:ident, $row:ident, $body:block) => {
        $(if $at < $rows {
            let $row = $at;
            $body
        })*
    };
}

impl Tile for Avx512 {
    type Real = f32;

    fn weights(
        self,
        step: &Step<f32>,
        edit: Option<Edit<f32>>,
        scores: &mut Scores<f32>,
        state: &mut State<f32>,
        out: &mut Output<f32>,
    ) {
        step.check(out);
        let vectors = step.keys.div_ceil(LANES);
        // SAFETY: `self` proves the instructions, `check` the lengths.
        unsafe { sized!(step.rows, vectors, weights(step, edit, scores, state, out)) }
    }

    fn add_values(self, step: &Step<f32>, weights: &Scores<f32>, out: &mut Output<f32>) {
        step.check(out);
        for column in (0..step.dim_v).step_by(4 * LANES) {
            let vectors = (step.dim_v - column).div_ceil(LANES).min(4);
            let sum = step.sum(column, weights, out);
            // SAFETY: `self` proves the instructions, `check` the lengths.
            unsafe { sized!(step.rows, vectors, add(&sum)) }
        }
    }

    fn transpose(self, rows: &Sixteen<f32>, column: usize, panel: &mut [f32]) -> usize {
        let dim = rows.iter().map(|row| row.len()).min().unwrap_or(0) / LANES * LANES;
        assert!(column + LANES <= KEYS && panel.len() >= dim * KEYS);
        for start in (0..dim).step_by(LANES) {
            // SAFETY: `self` proves the instructions; rows and panel have `start + 16` numbers and rows.
            unsafe { transpose(rows, start, panel.as_mut_ptr().add(start * KEYS + column)) };
        }
        dim
    }

    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f")]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(work) }
    }
}

/// `R` queries and `16 · C` keys.
///
/// # Safety
/// [`Step::check`] has passed, `R` is `step.rows`, and `16 · C` is `step.keys` rounded up.
#[target_feature(enable = "avx512f")]
unsafe fn weights<const R: usize, const C: usize>(
    step: &Step<f32>,
    edit: Option<Edit<f32>>,
    scores: &mut Scores<f32>,
    state: &mut State<f32>,
    out: &mut Output<f32>,
) {
    let queries = Left { from: step.queries.as_ptr(), row: 1, column: ROWS };
    // SAFETY: `queries` and `panel` have `dim` rows of `ROWS ≥ R` and of `KEYS ≥ 16 · C` numbers.
    let mut tile = unsafe { product::<R, C>(queries, step.panel.as_ptr(), step.dim) };
    let weights = scores.0.as_mut_ptr().cast::<f32>();
    if let Some(edit) = edit {
        // SAFETY: `scores` has `ROWS` rows of `KEYS` numbers, and starts at a multiple of 64 bytes.
        unsafe { store(&tile, weights) };
        edit(scores);
        for (row, tile) in tile.iter_mut().enumerate() {
            for (at, lane) in tile.iter_mut().enumerate() {
                // SAFETY: as above.
                *lane = unsafe { _mm512_load_ps(scores.0[row].as_ptr().add(at * LANES)) };
            }
        }
    }
    // Each row's maximum, in 16 parts: they need be brought together only where one has grown.
    let (mut tops, mut grown) = ([_mm512_setzero_ps(); R], 0);
    each_row!(R, row, {
        tops[row] = tile[row][0];
        for lane in &tile[row][1..] {
            tops[row] = _mm512_max_ps(*lane, tops[row]);
        }
        let limit = _mm512_set1_ps(state.max[row] + LAZY);
        grown |= _mm512_cmp_ps_mask::<_CMP_GT_OQ>(tops[row], limit);
    });
    if grown != 0 {
        for (row, top) in tops.iter().enumerate() {
            grow(_mm512_reduce_max_ps(*top), row, state, out);
        }
    }
    each_row!(R, row, {
        // −∞ − −∞ would be NaN; −∞ − 0 gives weights of 0.
        let max = state.max[row];
        let base = _mm512_set1_ps(if max == f32::NEG_INFINITY { 0. } else { max });
        // SAFETY: a row of sums has 16 numbers.
        let mut sum = unsafe { _mm512_loadu_ps(state.sum[row].as_ptr()) };
        for lane in &mut tile[row] {
            *lane = exp2(_mm512_sub_ps(*lane, base));
            sum = _mm512_add_ps(sum, *lane);
        }
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(state.sum[row].as_mut_ptr(), sum) };
    });
    // SAFETY: as for the edit.
    unsafe { store(&tile, scores.0.as_mut_ptr().cast()) };
}

/// Brings a row's sums and output down when its maximum has grown to `top`.
#[cold]
#[target_feature(enable = "avx512f")]
fn grow(top: f32, row: usize, state: &mut State<f32>, out: &mut Output<f32>) {
    let max = &mut state.max[row];
    if top > *max + LAZY {
        let down = exp2(_mm512_set1_ps(*max - top)); // 0 the first time
        *max = top;
        let out = &mut out.numbers[row * out.stride..][..out.stride];
        for lane in state.sum[row..=row].iter_mut().chain(out.as_chunks_mut::<LANES>().0) {
            // SAFETY: a lane has 16 numbers.
            unsafe {
                let x = _mm512_mul_ps(_mm512_loadu_ps(lane.as_ptr()), down);
                _mm512_storeu_ps(lane.as_mut_ptr(), x);
            }
        }
    }
}

/// Q·Kᵀ.
///
/// # Safety
/// `left` has `R` rows and `dim` columns, `panel` `dim` rows of [`KEYS`] `≥ 16 · C` numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn product<const R: usize, const C: usize>(
    left: Left<f32>,
    mut panel: *const f32,
    dim: usize,
) -> [[__m512; C]; R] {
    let (mut tile, mut queries) = ([[_mm512_setzero_ps(); C]; R], left.from);
    for _ in 0..dim {
        // SAFETY: the caller's promise.
        unsafe {
            let keys: [__m512; C] = load(panel);
            for (row, tile) in tile.iter_mut().enumerate() {
                let query = _mm512_set1_ps(*queries.add(row * left.row));
                for (sum, key) in tile.iter_mut().zip(&keys) {
                    *sum = _mm512_fmadd_ps(query, *key, *sum);
                }
            }
        }
        queries = queries.wrapping_add(left.column);
        panel = panel.wrapping_add(KEYS);
    }
    tile
}

/// `out` += left · right for `R` rows and up to `16 · C` columns.
///
/// # Safety
/// As [`Sum`] says, with `R` rows and `16 · (C − 1) < columns`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add<const R: usize, const C: usize>(sum: &Sum<f32>) {
    // The last vector has only as many numbers as there are columns.
    let rest = (sum.columns - (C - 1) * LANES).min(LANES);
    let rest = (u16::MAX >> (LANES - rest)) as __mmask16;
    let mut tile = [[_mm512_setzero_ps(); C]; R];
    let (mut left, mut right) = (sum.left.from, sum.right);
    // SAFETY: the caller's promise; the mask keeps the last vectors within.
    unsafe {
        for (row, tile) in tile.iter_mut().enumerate() {
            *tile = load_part(sum.out.add(row * sum.out_row), rest);
        }
        for _ in 0..sum.inner {
            let values: [__m512; C] = load_part(right, rest);
            for (row, tile) in tile.iter_mut().enumerate() {
                let weight = _mm512_set1_ps(*left.add(row * sum.left.row));
                for (sum, value) in tile.iter_mut().zip(&values) {
                    *sum = _mm512_fmadd_ps(weight, *value, *sum);
                }
            }
            left = left.wrapping_add(sum.left.column);
            right = right.wrapping_add(sum.right_row);
        }
        for (row, tile) in tile.iter().enumerate() {
            let to = sum.out.add(row * sum.out_row);
            for (at, lane) in tile.iter().enumerate() {
                let to = to.wrapping_add(at * LANES);
                match at + 1 == C {
                    true => _mm512_mask_storeu_ps(to, rest, *lane),
                    false => _mm512_storeu_ps(to, *lane),
                }
            }
        }
    }
}

/// `C` vectors, of the last one only what `rest` says, and zeros.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_part<const C: usize>(from: *const f32, rest: __mmask16) -> [__m512; C] {
    let mut lanes = [_mm512_setzero_ps(); C];
    for (at, lane) in lanes.iter_mut().enumerate() {
        let from = from.wrapping_add(at * LANES);
        // SAFETY: the caller's promise.
        *lane = unsafe {
            match at + 1 == C {
                true => _mm512_maskz_loadu_ps(rest, from),
                false => _mm512_loadu_ps(from),
            }
        };
    }
    lanes
}

/// Numbers `start .. start + 16` of each row as columns.
///
/// # Safety
/// Each row has them, and 16 rows of [`KEYS`] numbers can be written but for what follows the 16th of the last.
#[target_feature(enable = "avx512f")]
unsafe fn transpose(rows: &Sixteen<f32>, start: usize, to: *mut f32) {
    // Of two vectors, or of each part of them: the first halves, the second ones; the even quarters, the odd ones.
    const LOW: i32 = 0b01_00_01_00;
    const HIGH: i32 = 0b11_10_11_10;
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    // Pairs, then fours: `fours[4 · i + j]` has in its part p number 4 · p + j of rows 4 · i .. 4 · i + 4.
    let mut fours = [_mm512_setzero_ps(); 16];
    for (fours, rows) in fours.chunks_exact_mut(4).zip(rows.chunks_exact(4)) {
        let mut four = [_mm512_setzero_ps(); 4];
        for (four, row) in four.iter_mut().zip(rows) {
            // SAFETY: the caller's promise.
            *four = unsafe { _mm512_loadu_ps(row.as_ptr().add(start)) };
        }
        let [a, b, c, d] = four;
        let [ab, cd] = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
        fours[0] = _mm512_shuffle_ps::<LOW>(ab, cd);
        fours[1] = _mm512_shuffle_ps::<HIGH>(ab, cd);
        let [ab, cd] = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
        fours[2] = _mm512_shuffle_ps::<LOW>(ab, cd);
        fours[3] = _mm512_shuffle_ps::<HIGH>(ab, cd);
    }
    for j in 0..4 {
        let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let even = [_mm512_shuffle_f32x4::<EVEN>(a, b), _mm512_shuffle_f32x4::<EVEN>(c, d)];
        let odd = [_mm512_shuffle_f32x4::<ODD>(a, b), _mm512_shuffle_f32x4::<ODD>(c, d)];
        let columns = [
            _mm512_shuffle_f32x4::<EVEN>(even[0], even[1]),
            _mm512_shuffle_f32x4::<EVEN>(odd[0], odd[1]),
            _mm512_shuffle_f32x4::<ODD>(even[0], even[1]),
            _mm512_shuffle_f32x4::<ODD>(odd[0], odd[1]),
        ];
        for (part, column) in columns.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to.add((4 * part + j) * KEYS), column) };
        }
    }
}

/// `16 · C` numbers.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<const C: usize>(from: *const f32) -> [__m512; C] {
    let mut lanes = [_mm512_setzero_ps(); C];
    for (at, lane) in lanes.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *lane = unsafe { _mm512_loadu_ps(from.add(at * LANES)) };
    }
    lanes
}

/// A tile to rows of [`KEYS`].
///
/// # Safety
/// `R` rows can be written.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store<const R: usize, const C: usize>(tile: &[[__m512; C]; R], to: *mut f32) {
    for (row, tile) in tile.iter().enumerate() {
        for (at, lane) in tile.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to.add(row * KEYS + at * LANES), *lane) };
        }
    }
}

/// 2ˣ as [`super::real::Real::exp2`], for x up to 127.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exp2(x: __m512) -> __m512 {
    // The smallest 2ˣ above 0 is 2⁻¹⁴⁹. Of NaN and a number, `max` gives the second.
    let x = _mm512_max_ps(_mm512_set1_ps(-200.), x);
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let rest = _mm512_sub_ps(x, whole);
    let mut sum = _mm512_set1_ps(EXP2[4]);
    for factor in [EXP2[3], EXP2[2], EXP2[1], EXP2[0], 1.] {
        sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(factor));
    }
    _mm512_scalef_ps(sum, whole)
}
