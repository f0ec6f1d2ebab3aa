//! Made-up lengths, to measure with.

use candle_core::Result;

/// The seed with which 32 [`lengths`] of up to 1,894 tokens have a mean of 930 and a maximum of 1,894: what
/// `cargo study bench` measures with.
pub const BENCH_SEED: u64 = 7515;

/// So many lengths of `1 ..= longest` tokens, each as likely as the others.
pub fn lengths(seed: u64, sequences: usize, longest: usize) -> Result<Vec<usize>> {
    let draws = seeded::uniform(seed, sequences)?.to_vec1::<f32>()?;
    Ok(draws
        .into_iter()
        .map(|u| 1 + (u * longest as f32) as usize)
        .map(|n| n.min(longest))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{BENCH_SEED, lengths};

    #[test]
    fn the_benchmarks_lengths_are_as_stated() -> candle_core::Result<()> {
        let lengths = lengths(BENCH_SEED, 32, 1894)?;
        let mean = lengths.iter().sum::<usize>() as f64 / 32.;
        assert_eq!((mean.round(), lengths.iter().max()), (930., Some(&1894)));
        Ok(())
    }
}
