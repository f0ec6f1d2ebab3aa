//! Vectors in plain Rust: arrays, whose loops the compiler turns into the vector instructions that every processor has.
//! The twin of the others, and the only one for f64.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::lanes::Lanes;
use crate::kernel::data::real::Real;
use std::array::from_fn;
use std::marker::PhantomData;
use std::mem::swap;

/// Arrays of `WIDTH` numbers, `VECTORS` in a row of a tile. Of other shapes they stand in for sets of instructions that a
/// processor lacks.
pub(crate) struct Arrays<T, const WIDTH: usize, const VECTORS: usize>(PhantomData<T>);

impl<T, const WIDTH: usize, const VECTORS: usize> Arrays<T, WIDTH, VECTORS> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// f32 in 128-bit registers: six rows of two.
pub(crate) const F32: Arrays<f32, 8, 1> = Arrays::new();
/// f64 likewise.
pub(crate) const F64: Arrays<f64, 4, 1> = Arrays::new();

impl<T, const WIDTH: usize, const VECTORS: usize> Clone for Arrays<T, WIDTH, VECTORS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const WIDTH: usize, const VECTORS: usize> Copy for Arrays<T, WIDTH, VECTORS> {}

// SAFETY: an array is its numbers next to each other, and of numbers any bits are one.
unsafe impl<T: Real, const WIDTH: usize, const VECTORS: usize> Lanes for Arrays<T, WIDTH, VECTORS> {
    type Number = T;
    type Vector = [T; WIDTH];
    /// How many there are.
    type Mask = usize;

    const WIDTH: usize = WIDTH;
    const VECTORS: usize = VECTORS;

    #[inline(always)]
    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline(always)]
    fn splat(self, x: T) -> [T; WIDTH] {
        [x; WIDTH]
    }

    #[inline(always)]
    fn add(self, a: [T; WIDTH], b: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: [T; WIDTH], b: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: [T; WIDTH], b: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: [T; WIDTH], b: [T; WIDTH], c: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    fn mul_sub(self, a: [T; WIDTH], b: [T; WIDTH], c: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| a[lane] * b[lane] - c[lane])
    }

    #[inline(always)]
    fn min(self, a: [T; WIDTH], b: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn max(self, a: [T; WIDTH], b: [T; WIDTH]) -> [T; WIDTH] {
        from_fn(|lane| larger(a[lane], b[lane]))
    }

    #[inline(always)]
    fn exp2(self, x: [T; WIDTH]) -> [T; WIDTH] {
        x.map(T::exp2)
    }

    #[inline(always)]
    fn exceeds(self, a: [T; WIDTH], b: [T; WIDTH]) -> bool {
        a.iter().zip(&b).fold(false, |some, (a, b)| some | (a > b))
    }

    #[inline(always)]
    fn largest(self, x: [T; WIDTH]) -> T {
        x.into_iter().fold(T::NEG_INFINITY, larger)
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [[T; WIDTH]]) {
        for row in 1..WIDTH {
            let (above, below) = rows.split_at_mut(row);
            for (lane, above) in above.iter_mut().enumerate() {
                swap(&mut above[row], &mut below[0][lane]);
            }
        }
    }

    #[inline(always)]
    fn first(self, count: usize) -> usize {
        count
    }

    #[inline(always)]
    unsafe fn load(self, from: *const T) -> [T; WIDTH] {
        // SAFETY: the caller's promise; an array lies wherever its numbers may.
        unsafe { *from.cast() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T, x: [T; WIDTH]) {
        // SAFETY: as for `load`.
        unsafe { *to.cast() = x }
    }

    #[inline(always)]
    unsafe fn load_some(self, from: *const T, there: usize) -> [T; WIDTH] {
        // SAFETY: the caller's promise.
        from_fn(|lane| if lane < there { unsafe { *from.add(lane) } } else { T::ZERO })
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut T, there: usize, x: [T; WIDTH]) {
        for (lane, x) in x.into_iter().enumerate().take(there) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(lane) = x }
        }
    }
}

#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if a > b { a } else { b }
}
