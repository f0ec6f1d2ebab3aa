//! Week 3's wrong answers.

mod attend;
mod convert;
mod leak;
mod masks;

pub use attend::{masked_attention, masked_softmax};
pub use convert::{additive_to_keep, from_keep, keep_to_additive, to_keep};
pub use leak::leaks_future;
pub use masks::{causal_mask, combine_masks, padding_lengths, padding_mask};

use candle_core::{DType, Result, Tensor, bail};

/// An error unless all are u8, for wrong answers whose fault lies elsewhere.
fn only_u8(masks: &[&Tensor]) -> Result<()> {
    if masks.iter().any(|mask| mask.dtype() != DType::U8) {
        bail!("not u8");
    }
    Ok(())
}

/// An error unless the u8 tensor is 1 everywhere.
fn everywhere(allowed: &Tensor) -> Result<()> {
    if allowed.flatten_all()?.to_vec1::<u8>()?.contains(&0) {
        bail!("other numbers");
    }
    Ok(())
}
