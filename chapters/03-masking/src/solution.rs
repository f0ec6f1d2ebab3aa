//! Week 3, solved: masks in every convention, and a softmax that obeys them.

use candle_core::{D, DType, Result, Tensor, bail};
use scaling::solution::softmax;

// ANCHOR: masked_softmax
/// The softmax of `scores` over the keys that `mask` lets each query see; a row with nothing to see gets zeros.
///
/// `scores` and result `(…, seq_q, seq_k)`; `mask` broadcastable to it, either a keep-mask (u8, 1 = may attend) or an
/// additive mask of the scores' type (0 = may attend, −∞ = may not, other numbers are added). Where a row sees nothing,
/// the gradient is zero too. Errors when the mask has another type or does not broadcast to the scores.
pub fn masked_softmax(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let shape = scores.shape();
    let logits = match mask {
        None => scores.clone(),
        Some(keep) if keep.dtype() == DType::U8 => {
            let hidden = (scores.ones_like()? * f64::NEG_INFINITY)?;
            keep.broadcast_as(shape)?.where_cond(scores, &hidden)?
        }
        Some(additive) if additive.dtype() == scores.dtype() => {
            (scores + additive.broadcast_as(shape)?)?
        }
        Some(mask) => bail!(
            "mask: expected u8 (1 = may attend) or {:?} as the scores (−∞ = may not); got {:?}",
            scores.dtype(),
            mask.dtype()
        ),
    };
    let zeros = scores.zeros_like()?;
    if scores.elem_count() == 0 {
        return Ok(zeros); // no rows, or no keys
    }
    // A softmax over −∞ alone is NaN, forward and backward: such a row goes in as zeros and comes out as zeros.
    let sees = logits.max_keepdim(D::Minus1)?.ne(f64::NEG_INFINITY)?; // (…, seq_q, 1)
    let sees = sees.broadcast_as(shape)?;
    let weights = softmax(&sees.where_cond(&logits, &zeros)?)?;
    sees.where_cond(&weights, &zeros)
}
// ANCHOR_END: masked_softmax
