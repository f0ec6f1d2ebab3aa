//! Week 3, solved: masks in every convention, and a softmax that obeys them.

use candle_core::{D, DType, Result, Tensor};
use scaling::solution::softmax;

// ANCHOR: masked_softmax
/// The softmax of `scores` over the keys that `mask` lets each query see; a row with nothing to see gets zeros.
///
/// `scores` `(…, seq_q, seq_k)`; `mask` broadcastable to it, either a keep-mask (u8, 1 = may attend) or an additive mask
/// of the scores' type (0 = may attend, −∞ = may not, other numbers are added).
pub fn masked_softmax(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: masked_softmax
