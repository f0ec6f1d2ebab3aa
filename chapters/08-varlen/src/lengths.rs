//! Made-up lengths, to measure with.

use candle_core::Result;

/// The seed with which 32 [`lengths`] of up to 1,894 tokens have a mean of 928 and a maximum of 1,893.
pub const BENCH_SEED: u64 = 2223;

/// So many lengths of `1 ..= longest` tokens, each as likely as the others.
pub fn lengths(seed: u64, sequences: usize, longest: usize) -> Result<Vec<usize>> {
    let draws = seeded::uniform(seed, sequences)?.to_vec1::<f32>()?;
    Ok(draws
        .into_iter()
        .map(|u| 1 + (u * longest as f32) as usize)
        .map(|n| n.min(longest))
        .collect())
}
