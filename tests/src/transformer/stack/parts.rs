//! Vectors of one number and simple parts, so that results can be computed by hand.

use crate::harness::{Breach, Outcome};
use candle_core::{DType, Device, Result, Tensor, bail};
use std::cell::RefCell;

/// Rows of tokens, 0 being padding.
pub(super) fn tokens<const N: usize>(rows: &[[u32; N]]) -> Result<Tensor> {
    Tensor::from_vec(rows.concat(), (rows.len(), N), &Device::Cpu)
}

/// Every token's number as its vector: `(batch, seq)` → `(batch, seq, 1)`.
pub(super) fn embed(tokens: &Tensor) -> Result<Tensor> {
    tokens.to_dtype(DType::F32)?.unsqueeze(2)
}

/// For each query the mean of `x` `(batch, seq_k, 1)` over the keys that `keep` lets it see, 0 where it sees none.
///
/// `keep` u8, any shape that broadcasts to `(batch, 1, seq_q, seq_k)`.
pub(super) fn mean_of_seen(x: &Tensor, keep: &Tensor, seq_q: usize) -> Result<Tensor> {
    let (batch, seq_k, _) = x.dims3()?;
    if keep.dtype() != DType::U8 {
        bail!("a mask: expected a keep-mask of type u8; got {:?}", keep.dtype());
    }
    let keep = match keep.broadcast_as((batch, 1, seq_q, seq_k)) {
        Ok(keep) => keep.squeeze(1)?.to_dtype(x.dtype())?.contiguous()?,
        Err(_) => bail!(
            "a mask: expected a shape that broadcasts to [{batch}, 1, {seq_q}, {seq_k}], (batch, heads, seq_q, seq_k); got {:?}",
            keep.shape()
        ),
    };
    let count = keep.sum_keepdim(2)?.maximum(1f64)?; // (batch, seq_q, 1)
    keep.matmul(&x.contiguous()?)?.broadcast_div(&count)
}

/// Which parts were called, one after the other.
#[derive(Default)]
pub(super) struct Calls(RefCell<Vec<String>>);

impl Calls {
    pub(super) fn note(&self, name: &str) {
        self.0.borrow_mut().push(name.to_owned());
    }

    /// The law that exactly these parts were called, in this order.
    pub(super) fn are(&self, given: &str, expected: &[&str]) -> Outcome {
        let (got, expected) = (self.0.borrow().join(", "), expected.join(", "));
        if got == expected {
            return Ok(());
        }
        Err(Breach::text(given, &format!("calls of {expected}"), &format!("calls of {got}")))
    }
}

/// A part that fails.
pub(super) fn broken(_: &Tensor) -> Result<Tensor> {
    bail!("this part fails")
}
