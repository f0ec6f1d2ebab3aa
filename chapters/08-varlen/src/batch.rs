//! Given: ragged batches to try things on.

use crate::solution::unpad;
use candle_core::{DType, Device, Result, Tensor};
use masking::solution::padding_mask;

// ANCHOR: lengths
/// The lengths of `count` made-up requests, in tokens: log-normal with a median of
/// 120, cut to 8 ..= 512.
pub fn log_normal_lengths(seed: u64, count: usize) -> Result<Vec<usize>> {
    let length = |z: f32| (120. * (0.8 * z).exp()).clamp(8., 512.) as usize;
    Ok(seeded::normal(seed, count)?.to_vec1()?.into_iter().map(length).collect())
}
// ANCHOR_END: lengths

/// Queries, keys and values of sequences of different lengths, padded and packed.
#[derive(Clone, Debug)]
pub struct Batch {
    /// q, k and v `(batch, seq, hidden)`. The padding holds noise, not zeros.
    pub padded: [Tensor; 3],
    /// Which tokens are real: `(batch, seq)`, u8.
    pub keep: Tensor,
    /// q, k and v `(total, hidden)`, the same numbers.
    pub packed: [Tensor; 3],
    /// Where sequences begin, and where the last one ends: `(batch + 1)`, u32.
    pub cu_seqlens: Tensor,
    /// The length of the longest sequence.
    pub max_seqlen: usize,
    /// How many heads share `hidden`.
    pub num_heads: usize,
    /// `hidden / num_heads`.
    pub head_dim: usize,
}

impl Batch {
    /// A random batch of sequences of these lengths.
    pub fn new(seed: u64, lengths: &[usize], num_heads: usize, head_dim: usize) -> Result<Self> {
        let (batch, seq) = (lengths.len(), lengths.iter().copied().max().unwrap_or(0));
        let one = |at| seeded::normal(3 * seed + at, (batch, seq, num_heads * head_dim));
        let padded = [one(0)?, one(1)?, one(2)?];
        let keep = padding_mask(lengths, seq, &Device::Cpu)?.reshape((batch, seq))?;
        let [q, k, v] =
            [unpad(&padded[0], &keep)?, unpad(&padded[1], &keep)?, unpad(&padded[2], &keep)?];
        let packed = [q.tokens, k.tokens, v.tokens];
        let (cu_seqlens, max_seqlen) = (q.cu_seqlens, q.max_seqlen);
        Ok(Self { padded, keep, packed, cu_seqlens, max_seqlen, num_heads, head_dim })
    }

    /// The same on this device; the numbers of q, k and v in this type.
    pub fn to(&self, device: &Device, dtype: DType) -> Result<Self> {
        let all = |xs: &[Tensor; 3]| -> Result<[Tensor; 3]> {
            let one = |x: &Tensor| x.to_dtype(dtype)?.to_device(device);
            let [q, k, v] = xs;
            Ok([one(q)?, one(k)?, one(v)?])
        };
        Ok(Self {
            padded: all(&self.padded)?,
            packed: all(&self.packed)?,
            keep: self.keep.to_device(device)?,
            cu_seqlens: self.cu_seqlens.to_device(device)?,
            ..*self
        })
    }
}
