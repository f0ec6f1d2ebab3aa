//! Vectors of sixteen f32: AVX-512F.

#![allow(unsafe_code, reason = "intrinsics are safe only where the processor has them")]

use super::lanes::{Lanes, exp2_of_rest, intrinsics};
use std::arch::x86_64::*;

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

// SAFETY: `__m512` is sixteen f32.
unsafe impl Lanes for Avx512 {
    type Number = f32;
    type Vector = __m512;
    /// A bit each.
    type Mask = __mmask16;

    const WIDTH: usize = 16;
    const VECTORS: usize = 4; // of 32 registers, 24 hold sums: a tile is a whole panel

    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f")]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(work) }
    }

    intrinsics! {
        fn splat(self, x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn add(self, a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        fn sub(self, a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        fn mul(self, a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn mul_sub(self, a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmsub_ps(a, b, c) }
        fn min(self, a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        fn max(self, a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        fn exceeds(self, a: __m512, b: __m512) -> bool { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) != 0 }
        fn largest(self, x: __m512) -> f32 { _mm512_reduce_max_ps(x) }
        fn exp2(self, x: __m512) -> __m512 {
            // The smallest 2ˣ above 0 is 2⁻¹⁴⁹. Of NaN and a number, `max` gives the second.
            let x = _mm512_max_ps(_mm512_set1_ps(-200.), x);
            let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
            _mm512_scalef_ps(exp2_of_rest(self, _mm512_sub_ps(x, whole)), whole)
        }
    }

    #[inline(always)]
    fn first(self, count: usize) -> __mmask16 {
        u16::MAX >> (16 - count)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller's promise; `self` proves the instructions, here and below.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, there: __mmask16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_ps(there, from) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, there: __mmask16, x: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_mask_storeu_ps(to, there, x) }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m512]) {
        // Of two vectors, or of each part of them: the first halves, the second ones; the even quarters, the odd ones.
        const LOW: i32 = 0b01_00_01_00;
        const HIGH: i32 = 0b11_10_11_10;
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        // SAFETY: `self` proves the instructions.
        unsafe {
            // Of vectors 4 · i .. 4 · i + 4, vector 4 · i + j gets in its part p their numbers 4 · p + j.
            for four in rows.as_chunks_mut::<4>().0 {
                let [a, b, c, d] = *four;
                let [ab, cd] = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
                four[0] = _mm512_shuffle_ps::<LOW>(ab, cd);
                four[1] = _mm512_shuffle_ps::<HIGH>(ab, cd);
                let [ab, cd] = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
                four[2] = _mm512_shuffle_ps::<LOW>(ab, cd);
                four[3] = _mm512_shuffle_ps::<HIGH>(ab, cd);
            }
            for j in 0..4 {
                let [a, b, c, d] = [rows[j], rows[4 + j], rows[8 + j], rows[12 + j]];
                let even = [_mm512_shuffle_f32x4::<EVEN>(a, b), _mm512_shuffle_f32x4::<EVEN>(c, d)];
                let odd = [_mm512_shuffle_f32x4::<ODD>(a, b), _mm512_shuffle_f32x4::<ODD>(c, d)];
                rows[j] = _mm512_shuffle_f32x4::<EVEN>(even[0], even[1]);
                rows[4 + j] = _mm512_shuffle_f32x4::<EVEN>(odd[0], odd[1]);
                rows[8 + j] = _mm512_shuffle_f32x4::<ODD>(even[0], even[1]);
                rows[12 + j] = _mm512_shuffle_f32x4::<ODD>(odd[0], odd[1]);
            }
        }
    }
}
