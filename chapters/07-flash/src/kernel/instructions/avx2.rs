//! Vectors of eight f32: AVX2 and FMA.

#![allow(unsafe_code, reason = "intrinsics are safe only where the processor has them")]

use super::lanes::{Lanes, exp2_of_rest, intrinsics};
use std::arch::x86_64::*;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

// SAFETY: `__m256` is eight f32.
unsafe impl Lanes for Avx2 {
    type Number = f32;
    type Vector = __m256;
    /// −1 for what is there, 0 for what is not.
    type Mask = __m256i;

    const WIDTH: usize = 8;
    const VECTORS: usize = 2; // of 16 registers, 12 hold sums

    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma")]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(work) }
    }

    intrinsics! {
        fn splat(self, x: f32) -> __m256 { _mm256_set1_ps(x) }
        fn add(self, a: __m256, b: __m256) -> __m256 { _mm256_add_ps(a, b) }
        fn sub(self, a: __m256, b: __m256) -> __m256 { _mm256_sub_ps(a, b) }
        fn mul(self, a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        fn mul_sub(self, a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmsub_ps(a, b, c) }
        fn min(self, a: __m256, b: __m256) -> __m256 { _mm256_min_ps(a, b) }
        fn max(self, a: __m256, b: __m256) -> __m256 { _mm256_max_ps(a, b) }
        fn exceeds(self, a: __m256, b: __m256) -> bool {
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) != 0
        }
        fn largest(self, x: __m256) -> f32 {
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
        fn exp2(self, x: __m256) -> __m256 {
            // 2⁻¹²⁷ is made as 0. Of NaN and a number, `max` gives the second.
            let x = _mm256_max_ps(_mm256_set1_ps(-127.), x);
            let whole = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
            let power = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
            _mm256_mul_ps(exp2_of_rest(self, _mm256_sub_ps(x, whole)), power)
        }
        fn first(self, count: usize) -> __m256i {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
        }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller's promise; `self` proves the instructions, here and below.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, there: __m256i) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_maskload_ps(from, there) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, there: __m256i, x: __m256) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_maskstore_ps(to, there, x) }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m256]) {
        // Of two vectors, in each half of them: the first halves, the second ones.
        const LOW: i32 = 0b01_00_01_00;
        const HIGH: i32 = 0b11_10_11_10;
        // SAFETY: `self` proves the instructions.
        unsafe {
            // Of vectors 4 · i .. 4 · i + 4, vector 4 · i + j gets in its half h their numbers 4 · h + j.
            for four in rows.as_chunks_mut::<4>().0 {
                let [a, b, c, d] = *four;
                let [ab, cd] = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)];
                four[0] = _mm256_shuffle_ps::<LOW>(ab, cd);
                four[1] = _mm256_shuffle_ps::<HIGH>(ab, cd);
                let [ab, cd] = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)];
                four[2] = _mm256_shuffle_ps::<LOW>(ab, cd);
                four[3] = _mm256_shuffle_ps::<HIGH>(ab, cd);
            }
            for j in 0..4 {
                let (a, b) = (rows[j], rows[4 + j]);
                rows[j] = _mm256_permute2f128_ps::<0x20>(a, b);
                rows[4 + j] = _mm256_permute2f128_ps::<0x31>(a, b);
            }
        }
    }
}
