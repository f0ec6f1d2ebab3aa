//! Week 8's wrong answers.

mod attention;
mod counts;
mod documents;
mod packing;
mod padded;
mod ragged;

pub use counts::{cu_seqlens, max_seqlen, padding_waste};
pub use documents::{document_mask, position_ids};
pub use packing::{pad, unpad};
pub use padded::{
    eager_bidirectional, eager_causal, sdpa_bidirectional, sdpa_causal, six_variants,
};
pub use ragged::{flash_bidirectional, flash_causal};

use super::{Wrong, wrong};
use candle_core::{Device, Result, Tensor, bail};

/// Numbers of type u32, one after the other.
fn ints(values: Vec<u32>) -> Result<Tensor> {
    let len = values.len();
    Tensor::from_vec(values, len, &Device::Cpu)
}

/// Where sequences begin, if it is 0 and then ends that never fall.
fn checked(cu_seqlens: &Tensor) -> Result<Vec<u32>> {
    let ends = cu_seqlens.to_vec1::<u32>()?;
    if ends.first() != Some(&0) || !ends.is_sorted() {
        bail!("cu_seqlens: expected 0 and then ends that never fall");
    }
    Ok(ends)
}

/// The lengths of the sequences.
fn lengths(ends: &[u32]) -> Vec<usize> {
    ends.windows(2).map(|pair| (pair[1] - pair[0]) as usize).collect()
}
