//! Week 3, your code: replace each `todo!()`, then run `cargo study check masking`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `enum Align { TopLeft, BottomRight }`: The corner of the scores from which
//!   a causal mask counts.
//! - `enum Convention { OneAttends, OneHides, Additive }`: What the numbers of
//!   a mask mean.
//! - `const HIDES: f64 = -1000.`: A conversion takes a key for hidden where an
//!   additive mask is at most this: e^−1000 is 0 in every float type.
//! - `expect_all(allowed: &Tensor, expected: &str) -> Result<()>`: An error
//!   unless `allowed` (u8, any shape) is 1 everywhere; `expected` says which
//!   numbers the mask should hold.
//! - `expect_u8(mask: &Tensor) -> Result<()>`: An error unless `mask` is u8, as
//!   a keep-mask must be.
//! - `scores(query: &Tensor, key: &Tensor) -> Result<Tensor>` (week 1): Every
//!   query's dot product with every key: Q·Kᵀ.
//! - `weighted_average(weights: &Tensor, value: &Tensor) -> Result<Tensor>`
//!   (week 1): Mixes the values by weight: each output row is Σⱼ weightsᵢⱼ ·
//!   valueⱼ.
//! - `softmax(logits: &Tensor) -> Result<Tensor>` (week 2): exp(logits) over
//!   its sum, row by row along the last dimension: weights from 0 to 1 that sum
//!   to one.
//! - `seeded::normal(seed: u64, shape: impl Into<Shape>) -> Result<Tensor>`
//!   (crate `seeded`): Draws from the standard normal distribution (mean 0,
//!   variance 1): `shape`, f32, on the CPU.
#![allow(unused)] // a stub uses nothing yet

use crate::{
    conventions::{Align, Convention, HIDES},
    expect::{expect_all, expect_u8},
};
use candle_core::{D, DType, Device, Result, Tensor, bail};
use dot_products::solution::{scores, weighted_average};
use scaling::solution::softmax;

// ANCHOR: causal_mask
/// A keep-mask that hides the future: query i sees the keys up to its own
/// position, the diagonal included.
///
/// `(seq_q, seq_k)`, u8, 1 = may attend. When the lengths differ, `align` says
/// which key is at a query's own position. With more queries than keys,
/// bottom-right leaves the first `seq_q − seq_k` queries nothing to see. No
/// queries or no keys give an empty mask.
pub fn causal_mask(
    seq_q: usize,
    seq_k: usize,
    align: Align,
    device: &Device,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: causal_mask

// ANCHOR: padding_mask
/// A keep-mask that hides padding: of the `seq_k` keys of sequence b, the first
/// `lengths[b]` are real.
///
/// `(batch, 1, 1, seq_k)`, u8, 1 = may attend: it broadcasts over heads and
/// queries. No sequences or no keys give an empty mask. Errors when a length is
/// above `seq_k`.
pub fn padding_mask(
    lengths: &[usize],
    seq_k: usize,
    device: &Device,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: padding_mask

// ANCHOR: padding_lengths
/// The number of real keys of each sequence: the inverse of [`padding_mask`].
///
/// `keep` `(batch, 1, 1, seq_k)`, u8, 1 = real → one length per sequence; no
/// sequences give no lengths. Errors when padding comes before a real key in any
/// sequence: a length cannot express that.
pub fn padding_lengths(keep: &Tensor) -> Result<Vec<usize>> {
    todo!()
}
// ANCHOR_END: padding_lengths

// ANCHOR: combine_masks
/// The keep-mask that lets through what both `first` and `second` let through.
///
/// Both are u8, 1 = may attend, and broadcast to each other: `(seq_q, seq_k)` and
/// `(batch, 1, 1, seq_k)` give `(batch, 1, seq_q, seq_k)`. Errors when either is
/// not u8 (additive masks are added instead) or the shapes do not fit.
pub fn combine_masks(first: &Tensor, second: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: combine_masks

// ANCHOR: keep_to_additive
/// The additive mask of a keep-mask: 0 where it is 1, −∞ where it is 0.
///
/// `keep` u8, any shape, views included → the same shape, in the float type
/// `dtype`: f16, bf16, f32 or f64, whichever the scores have. Errors when `keep`
/// is not u8 or `dtype` is not a float type.
pub fn keep_to_additive(keep: &Tensor, dtype: DType) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: keep_to_additive

// ANCHOR: additive_to_keep
/// Optional. The keep-mask of an additive mask: 1 where it is 0 (or −0), 0 where
/// it is [`HIDES`] or less, `HIDES` itself and −∞ included.
///
/// `additive` of any float type, any shape → the same shape, u8. Errors when a
/// number is neither: a bias, NaN, or the 1 of another convention, none of which
/// a keep-mask can hold. Errors on every type that is not a float type, so on a
/// u8 keep-mask too.
pub fn additive_to_keep(additive: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: additive_to_keep

// ANCHOR: to_keep
/// Optional. The keep-mask (u8, 1 = may attend) of a mask in any convention.
///
/// `mask` and result have the same shape. The two 0/1 conventions take any number
/// type, since triangles often come as floats; −0 is 0. An additive mask follows
/// the rules of `additive_to_keep`. Errors when a number (NaN included) means
/// nothing in the convention.
pub fn to_keep(mask: &Tensor, convention: Convention) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: to_keep

// ANCHOR: from_keep
/// Optional. A keep-mask (u8, 1 = may attend) in another convention: u8 for 0/1,
/// f32 for an additive mask.
///
/// `keep` and result have the same shape. Errors when `keep` is not u8.
pub fn from_keep(keep: &Tensor, convention: Convention) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: from_keep

// ANCHOR: masked_softmax
/// The softmax of `scores` over the keys that `mask` lets each query see; a row
/// with nothing to see gets zeros.
///
/// `scores` and result `(…, seq_q, seq_k)`, of one float type; `mask` broadcasts
/// to that shape and is either a keep-mask (u8, 1 = may attend) or an additive
/// mask of the scores' type: −∞ hides, and every other number is added, down to
/// the lowest. A score of −∞ is hidden already: a row with nothing else, once the
/// mask is applied, sees nothing, with `None` too. The gradient reaches the scores
/// and an additive mask; in a row that sees nothing it is zero. No keys or no
/// queries give empty weights of the scores' shape. Errors when the mask has
/// another type or does not broadcast to the scores; with empty scores you need
/// not look at it.
pub fn masked_softmax(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: masked_softmax

// ANCHOR: masked_attention
/// softmax(Q·Kᵀ / √d_k + mask)·V: the output and the weights. A query with
/// nothing to see gets zeros for both.
///
/// `query` `(…, seq_q, d_k)`, `key` `(…, seq_k, d_k)`, `value` `(…, seq_k, d_v)`,
/// of one float type; `mask` broadcasts to `(…, seq_q, seq_k)`, as in
/// [`masked_softmax`] → output `(…, seq_q, d_v)`, weights `(…, seq_q, seq_k)`.
/// Gradients go through both, to query, key, value and an additive mask. No keys
/// give zeros and empty weights for every query, no queries give no outputs.
/// Errors when the shapes do not fit.
pub fn masked_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    todo!()
}
// ANCHOR_END: masked_attention

// ANCHOR: leaks_future
/// Whether a later token can change an earlier output of `attend` at `input`.
///
/// `attend` maps `(seq, dim)` to `(seq, any)`, one row per token; `input` is
/// `(seq, dim)`, f32, on the CPU. Change each suffix of the input in turn, by
/// adding numbers from `seeded::normal`, so that the verdict repeats. All outputs
/// before the suffix must stay the same bit for bit, since a key of weight 0 adds
/// exactly 0. NaN counts as a change. An error of `attend` comes through.
pub fn leaks_future(
    attend: &dyn Fn(&Tensor) -> Result<Tensor>,
    input: &Tensor,
) -> Result<bool> {
    todo!()
}
// ANCHOR_END: leaks_future
