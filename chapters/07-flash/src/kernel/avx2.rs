//! The tile for AVX2 and FMA: six queries by 16 keys at a time in 12 registers; the scores of a panel go through L1.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::real::EXP2;
use super::tile::{
    Edit, KEYS, LANES, LAZY, Left, Output, ROWS, Scores, Sixteen, State, Step, Sum, Tile,
};
use std::arch::x86_64::*;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

/// The numbers in a register.
pub(super) const WIDTH: usize = 8;

/// Calls `$f::<R>` for a number of rows that is known only now.
macro_rules! sized {
    ($rows:expr, $f:ident $args:tt) => {
        match $rows {
            1 => $f::<1> $args,
            2 => $f::<2> $args,
            3 => $f::<3> $args,
            4 => $f::<4> $args,
            5 => $f::<5> $args,
            _ => $f::<6> $args,
        }
    };
}

pub(super) use sized;

impl Tile for Avx2 {
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
        let queries = Left { from: step.queries.as_ptr(), row: 1, column: ROWS };
        for column in (0..step.keys).step_by(LANES) {
            let panel = step.panel.as_ptr().wrapping_add(column);
            // SAFETY: `self` proves the instructions, `check` the lengths; a panel has `KEYS` columns.
            unsafe { sized!(step.rows, product(queries, panel, step.dim, column, scores)) }
        }
        if let Some(edit) = edit {
            edit(scores);
        }
        for row in 0..step.rows {
            // SAFETY: `self` proves the instructions.
            unsafe { soften(row, step.keys.div_ceil(LANES), scores, state, out) };
        }
    }

    fn add_values(self, step: &Step<f32>, weights: &Scores<f32>, out: &mut Output<f32>) {
        step.check(out);
        for column in (0..step.dim_v).step_by(LANES) {
            let sum = step.sum(column, weights, out);
            // SAFETY: `self` proves the instructions, `check` the lengths.
            unsafe { sized!(step.rows, add(&sum)) }
        }
    }

    fn transpose(self, rows: &Sixteen<f32>, column: usize, panel: &mut [f32]) -> usize {
        let dim = rows.iter().map(|row| row.len()).min().unwrap_or(0) / WIDTH * WIDTH;
        assert!(column + LANES <= KEYS && panel.len() >= dim * KEYS);
        for start in (0..dim).step_by(WIDTH) {
            for (half, rows) in rows.as_chunks().0.iter().enumerate() {
                // SAFETY: `self` proves the instructions; rows and panel have `start + 8` numbers and rows.
                unsafe {
                    let to = panel.as_mut_ptr().add(start * KEYS + column + half * WIDTH);
                    transpose(rows, start, to);
                }
            }
        }
        dim
    }

    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma")]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(work) }
    }
}

/// Q·Kᵀ for `R` queries and the 16 keys of a panel that are columns `column ..` of the scores.
///
/// # Safety
/// `left` has `R` rows and `dim` columns, `panel` `dim` rows of 16 numbers, [`KEYS`] apart; `column + 16 ≤ KEYS`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn product<const R: usize>(
    left: Left<f32>,
    mut panel: *const f32,
    dim: usize,
    column: usize,
    scores: &mut Scores<f32>,
) {
    let (mut tile, mut queries) = ([[_mm256_setzero_ps(); 2]; R], left.from);
    for _ in 0..dim {
        // SAFETY: the caller's promise.
        unsafe {
            let keys = [_mm256_loadu_ps(panel), _mm256_loadu_ps(panel.add(WIDTH))];
            for (row, tile) in tile.iter_mut().enumerate() {
                let query = _mm256_broadcast_ss(&*queries.add(row * left.row));
                for (sum, key) in tile.iter_mut().zip(&keys) {
                    *sum = _mm256_fmadd_ps(query, *key, *sum);
                }
            }
        }
        queries = queries.wrapping_add(left.column);
        panel = panel.wrapping_add(KEYS);
    }
    for (scores, tile) in scores.0.iter_mut().zip(&tile) {
        for (scores, lane) in scores[column..column + LANES].chunks_exact_mut(WIDTH).zip(tile) {
            // SAFETY: a chunk has 8 numbers.
            unsafe { _mm256_storeu_ps(scores.as_mut_ptr(), *lane) };
        }
    }
}

/// One query's step of the online softmax: the scores of `16 · lanes` keys become weights.
#[target_feature(enable = "avx2,fma")]
fn soften(
    row: usize,
    lanes: usize,
    scores: &mut Scores<f32>,
    state: &mut State<f32>,
    out: &mut Output<f32>,
) {
    let scores = scores.0[row][..lanes * LANES].as_chunks_mut::<WIDTH>().0;
    // SAFETY: these have 8 numbers each.
    let get = |lane: &[f32; WIDTH]| unsafe { _mm256_loadu_ps(lane.as_ptr()) };
    let put = |lane: &mut [f32; WIDTH], x| unsafe { _mm256_storeu_ps(lane.as_mut_ptr(), x) };
    let mut tops = get(&scores[0]);
    for lane in &scores[1..] {
        tops = _mm256_max_ps(get(lane), tops);
    }
    let (top, max) = (largest(tops), &mut state.max[row]);
    let sums = state.sum[row].as_chunks_mut::<WIDTH>().0;
    if top > *max + LAZY {
        let down = exp2(_mm256_set1_ps(*max - top)); // 0 the first time
        let out = out.numbers[row * out.stride..][..out.stride].as_chunks_mut::<WIDTH>().0;
        for lane in sums.iter_mut().chain(out) {
            put(lane, _mm256_mul_ps(get(lane), down));
        }
        *max = top;
    }
    // −∞ − −∞ would be NaN; −∞ − 0 gives weights of 0.
    let base = _mm256_set1_ps(if *max == f32::NEG_INFINITY { 0. } else { *max });
    let mut sum = [get(&sums[0]), get(&sums[1])];
    for pair in scores.chunks_exact_mut(2) {
        for (lane, sum) in pair.iter_mut().zip(&mut sum) {
            let weights = exp2(_mm256_sub_ps(get(lane), base));
            put(lane, weights);
            *sum = _mm256_add_ps(*sum, weights);
        }
    }
    for (to, sum) in sums.iter_mut().zip(sum) {
        put(to, sum);
    }
}

/// `out` += left · right for `R` rows and up to 16 columns.
///
/// # Safety
/// As [`Sum`] says, with `R` rows and at least one column.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add<const R: usize>(sum: &Sum<f32>) {
    match sum.columns < LANES {
        // SAFETY: the caller's promise.
        true => unsafe { add_some::<R, true>(sum) },
        // SAFETY: the caller's promise.
        false => unsafe { add_some::<R, false>(sum) },
    }
}

/// As [`add`], for 16 columns, or for the `PART` of them that there is.
///
/// # Safety
/// As [`add`], and there are 16 columns unless only a `PART` is asked for.
#[target_feature(enable = "avx2,fma")]
unsafe fn add_some<const R: usize, const PART: bool>(sum: &Sum<f32>) {
    // For each number of a row: −1 (there) or 0.
    let (columns, count) =
        (sum.columns.min(LANES) as i32, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    let masks =
        [0, WIDTH as i32].map(|from| _mm256_cmpgt_epi32(_mm256_set1_epi32(columns - from), count));
    // SAFETY, for both: the caller's promise; the masks keep a part within.
    let load = |from: *const f32| unsafe {
        let second = from.wrapping_add(WIDTH);
        match PART {
            true => [_mm256_maskload_ps(from, masks[0]), _mm256_maskload_ps(second, masks[1])],
            false => [_mm256_loadu_ps(from), _mm256_loadu_ps(second)],
        }
    };
    let mut tile = [[_mm256_setzero_ps(); 2]; R];
    let (mut left, mut right) = (sum.left.from, sum.right);
    for (row, tile) in tile.iter_mut().enumerate() {
        *tile = load(sum.out.wrapping_add(row * sum.out_row));
    }
    for _ in 0..sum.inner {
        let values = load(right);
        for (row, tile) in tile.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let weight = unsafe { _mm256_broadcast_ss(&*left.add(row * sum.left.row)) };
            for (sum, value) in tile.iter_mut().zip(&values) {
                *sum = _mm256_fmadd_ps(weight, *value, *sum);
            }
        }
        left = left.wrapping_add(sum.left.column);
        right = right.wrapping_add(sum.right_row);
    }
    for (row, tile) in tile.iter().enumerate() {
        let to = sum.out.wrapping_add(row * sum.out_row);
        for ((lane, mask), at) in tile.iter().zip(masks).zip([0, WIDTH]) {
            let to = to.wrapping_add(at);
            // SAFETY: as above.
            unsafe {
                match PART {
                    true => _mm256_maskstore_ps(to, mask, *lane),
                    false => _mm256_storeu_ps(to, *lane),
                }
            }
        }
    }
}

/// Numbers `start .. start + 8` of each row as columns.
///
/// # Safety
/// Each row has them, and 8 rows of [`KEYS`] numbers can be written but for what follows the 8th of the last.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose(rows: &[&[f32]; WIDTH], start: usize, to: *mut f32) {
    // Of two vectors, in each half of them: the first halves, the second ones.
    const LOW: i32 = 0b01_00_01_00;
    const HIGH: i32 = 0b11_10_11_10;
    // `fours[4 · i + j]` has in its half h number 4 · h + j of rows 4 · i .. 4 · i + 4.
    let mut fours = [_mm256_setzero_ps(); WIDTH];
    for (fours, rows) in fours.chunks_exact_mut(4).zip(rows.chunks_exact(4)) {
        let mut four = [_mm256_setzero_ps(); 4];
        for (four, row) in four.iter_mut().zip(rows) {
            // SAFETY: the caller's promise.
            *four = unsafe { _mm256_loadu_ps(row.as_ptr().add(start)) };
        }
        let [a, b, c, d] = four;
        let [ab, cd] = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)];
        fours[0] = _mm256_shuffle_ps::<LOW>(ab, cd);
        fours[1] = _mm256_shuffle_ps::<HIGH>(ab, cd);
        let [ab, cd] = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)];
        fours[2] = _mm256_shuffle_ps::<LOW>(ab, cd);
        fours[3] = _mm256_shuffle_ps::<HIGH>(ab, cd);
    }
    for j in 0..4 {
        let (a, b) = (fours[j], fours[4 + j]);
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_storeu_ps(to.add(j * KEYS), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(to.add((4 + j) * KEYS), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}

/// The largest of the 8 numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn largest(x: __m256) -> f32 {
    let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
}

/// 2ˣ as [`super::real::Real::exp2`], for x up to 127.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn exp2(x: __m256) -> __m256 {
    // 2⁻¹²⁷ is made as 0. Of NaN and a number, `max` gives the second.
    let x = _mm256_max_ps(_mm256_set1_ps(-127.), x);
    let whole = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let rest = _mm256_sub_ps(x, whole);
    let mut sum = _mm256_set1_ps(EXP2[4]);
    for factor in [EXP2[3], EXP2[2], EXP2[1], EXP2[0], 1.] {
        sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(factor));
    }
    let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    _mm256_mul_ps(sum, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
}
