//! Sets of instructions, a file each.
//!
//! - [`lanes`]: what all of them do;
//! - [`arrays`]: by plain loops, on every processor and for f64; [`avx2`], [`avx512`]: x86-64's vectors.

pub(crate) mod arrays;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod lanes;
