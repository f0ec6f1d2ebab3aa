//! The tiled kernel: one loop nest over small tiles, and for each set of instructions the tile.
//!
//! - [`problem`]: what is to be computed; [`plan`]: into which blocks of queries it is cut;
//! - [`nest`]: a block on its way through the keys: which tiles, in which order;
//! - [`backward`]: the way back, with a loop nest and tiles of its own;
//! - [`tile`]: what a set of instructions must do for one tile: [`avx512`], [`avx2`], [`portable`];
//! - [`pack`]: keys in panels; [`buffer`]: memory that starts at a cache line; [`rows`]: tensors with their strides;
//! - [`spans`]: which keys causal and window let a query see; [`edits`]: softcap and masks on a tile;
//! - [`share`]: work for the threads; [`path`]: which instructions this processor has; [`real`]: f32 and f64.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod backward;
mod buffer;
mod edits;
mod nest;
mod pack;
mod path;
mod plan;
mod portable;
mod problem;
mod real;
mod rows;
mod share;
mod spans;
mod tile;

pub(crate) use backward::{Backward, Gradients};
pub(crate) use edits::{Edits, Mask};
pub use path::Path;
pub(crate) use problem::Problem;
pub(crate) use real::Real;
pub(crate) use rows::Heads;
pub(crate) use spans::Hiding;

/// The output `(batch, heads_q, seq_q, dim_v)` and each row's log-sum-exp `(batch, heads_q, seq_q)`; when sequences are
/// packed, `(total_q, heads_q, dim_v)` and `(total_q, heads_q)`.
pub(crate) fn attend<T: Real>(path: Path, problem: &Problem<T>) -> (Vec<T>, Vec<T>) {
    T::attend(path, problem)
}

/// The gradients of q, k and v.
pub(crate) fn gradients<T: Real>(path: Path, backward: &Backward<T>) -> Gradients<T> {
    T::gradients(path, backward)
}
