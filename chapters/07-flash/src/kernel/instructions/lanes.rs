//! What a set of instructions does: arithmetic on vectors, several numbers side by side.

#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

#[cfg(target_arch = "x86_64")]
use crate::kernel::data::real::EXP2;
use crate::kernel::data::real::Real;

/// A set of instructions. To have one is to know that the processor has them.
///
/// All methods are `#[inline(always)]`: what calls them is compiled for the instructions once it runs in
/// [`vectorised`](Lanes::vectorised), and must be inlined there too.
///
/// # Safety
/// A vector is [`WIDTH`](Lanes::WIDTH) numbers next to each other, at most 64 bytes, and any bits are one.
pub(crate) unsafe trait Lanes: Copy + Send + Sync {
    type Number: Real;
    type Vector: Copy;
    /// Which numbers of a vector are there.
    type Mask: Copy;

    /// Numbers of a vector: a power of two, at most [`WIDEST`](crate::kernel::tile::shape::WIDEST).
    const WIDTH: usize;
    /// Vectors of a tile's row, at most 4: six rows of sums, a row of numbers and one more fit the registers.
    const VECTORS: usize;

    /// Runs `work` compiled for these instructions, where it is `#[inline(always)]`.
    fn vectorised<R>(self, work: impl FnOnce() -> R) -> R;

    /// `x` in each lane.
    fn splat(self, x: Self::Number) -> Self::Vector;
    /// a + b
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a − b
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b + c, rounded once where the processor can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// a · b − c, rounded once where the processor can.
    fn mul_sub(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The smaller of both; b where one is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger of both; b where one is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// 2ˣ as [`Real::exp2`].
    fn exp2(self, x: Self::Vector) -> Self::Vector;
    /// Whether a > b in some lane.
    fn exceeds(self, a: Self::Vector, b: Self::Vector) -> bool;
    /// The largest of its numbers.
    fn largest(self, x: Self::Vector) -> Self::Number;
    /// Lane i of vector j becomes lane j of vector i: for as many vectors as a vector has numbers.
    fn transpose(self, rows: &mut [Self::Vector]);

    /// The first `count` numbers: 1 ..= [`WIDTH`](Lanes::WIDTH).
    fn first(self, count: usize) -> Self::Mask;
    /// A vector from memory.
    ///
    /// # Safety
    /// It can be read.
    unsafe fn load(self, from: *const Self::Number) -> Self::Vector;
    /// A vector to memory.
    ///
    /// # Safety
    /// It can be written.
    unsafe fn store(self, to: *mut Self::Number, x: Self::Vector);
    /// The numbers of a vector that are there, 0 for the others.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_some(self, from: *const Self::Number, there: Self::Mask) -> Self::Vector;
    /// The numbers of a vector that are there.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_some(self, to: *mut Self::Number, there: Self::Mask, x: Self::Vector);

    /// Numbers as vectors. Panics unless they begin at a vector's multiple, and end there.
    #[inline(always)]
    fn vectors(self, numbers: &mut [Self::Number]) -> &mut [Self::Vector] {
        // SAFETY: a vector is numbers next to each other, and any bits are one: the trait's promise.
        let (before, vectors, after) = unsafe { numbers.align_to_mut() };
        assert!(before.is_empty() && after.is_empty());
        vectors
    }
}

/// 2ʳ for |r| ≤ ½, by the polynomial of [`EXP2`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn exp2_of_rest<L: Lanes<Number = f32>>(lanes: L, rest: L::Vector) -> L::Vector {
    let mut sum = lanes.splat(EXP2[4]);
    for factor in [EXP2[3], EXP2[2], EXP2[1], EXP2[0], 1.] {
        sum = lanes.mul_add(sum, rest, lanes.splat(factor));
    }
    sum
}

/// Methods of intrinsics alone.
#[cfg(target_arch = "x86_64")]
macro_rules! intrinsics {
    ($(fn $name:ident($self:ident $(, $arg:ident: $type:ty)*) -> $result:ty { $($body:tt)* })*) => { $(
        #[inline(always)]
        fn $name($self $(, $arg: $type)*) -> $result {
            // SAFETY: to have `self` is to know that the processor has the instructions.
            unsafe { $($body)* }
        }
    )* };
}

#[cfg(target_arch = "x86_64")]
pub(super) use intrinsics;
