//! The rungs that week 7 climbs: the same attention, each time with one change.
//!
//! - [`naive`]: all scores in memory, candle operations;
//! - [`rowwise`]: one query after the other, with an online softmax: no scores in memory;
//! - [`tiled`]: a block of queries meets a block of keys, in plain loops;
//! - [`vectorised`]: tiles of 96 queries, laid out so that the compiler makes vector instructions of the loops;
//! - [`kernel`]: [`flash_attention`], where the vector instructions are written out.
//!
//! [`costs`] counts what each has to do; the example `climb` measures it.
//!
//! All take q `(batch, heads_q, seq_q, d)`, k `(batch, heads_kv, seq_k, d)` and v `(batch, heads_kv, seq_k, d_v)`, f32 and
//! finite, on the CPU, give `(batch, heads_q, seq_q, d_v)` with scores scaled by 1/√d, and hide the keys after a
//! query's own position when `causal` (as [`Causal::TopLeft`]). They error when shapes, types or devices do not fit; all
//! lengths may be 0, but not d.

mod cost;
mod heads;
mod naive;
mod rowwise;
mod tiled;
mod vectorised;

pub use cost::{Cost, costs};
pub use naive::naive;
pub use rowwise::{dot, rowwise};
pub use tiled::tiled;
pub use vectorised::{exponentials, vectorised};

use crate::{Causal, SdpaOptions, flash_attention};
use candle_core::{Result, Tensor};

/// Attention of q, k and v, causal or not.
pub type Rung = fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>;

/// Name and function of each rung, from the lowest to the highest.
pub const ALL: [(&str, Rung); 5] = [
    ("naive", naive),
    ("rowwise", rowwise),
    ("tiled", tiled),
    ("vectorised", vectorised),
    ("kernel", kernel),
];

/// The highest rung: [`flash_attention`].
pub fn kernel(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor> {
    flash_attention(q, k, v, &options(causal))
}

fn options(causal: bool) -> SdpaOptions {
    SdpaOptions { causal: causal.then_some(Causal::TopLeft), ..SdpaOptions::default() }
}
