//! Two errors that say what a mask should have been.

use candle_core::{DType, Result, Tensor, bail};

// ANCHOR: expect
/// An error unless `mask` is u8, as a keep-mask must be.
pub fn expect_u8(mask: &Tensor) -> Result<()> {
    if mask.dtype() != DType::U8 {
        bail!(
            "mask: expected a keep-mask of u8 (1 = may attend); got {:?}",
            mask.dtype()
        );
    }
    Ok(())
}

/// An error unless `allowed` (u8, any shape) is 1 everywhere; `expected` says
/// which numbers the mask should hold.
pub fn expect_all(allowed: &Tensor, expected: &str) -> Result<()> {
    if allowed.flatten_all()?.to_vec1::<u8>()?.contains(&0) {
        bail!("mask: expected {expected}; got other numbers");
    }
    Ok(())
}
// ANCHOR_END: expect
