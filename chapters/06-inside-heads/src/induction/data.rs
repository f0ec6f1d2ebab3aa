//! Sequences in which a block of random tokens repeats.

use candle_core::{Device, Result, Tensor, bail};

/// How many different tokens there are.
pub const VOCAB: usize = 32;
/// The tokens of a sequence to learn from.
pub const SEQ: usize = 32;
/// The longest block to learn from; tests have blocks of this length, twice.
pub const PERIOD: usize = 16;
/// The shortest block to learn from.
const SHORTEST: usize = 8;

/// Sequences to learn from: `(size, SEQ)`, u32. Each repeats a block of its own, of 8 to 16 different tokens.
///
/// The length is drawn, or a head could count back a fixed number of tokens, and one layer would do. The tokens of a
/// block differ, so that each has one earlier occurrence and what follows it is certain.
pub fn draw(size: usize, seed: u64) -> Result<Tensor> {
    sequences(size, SEQ, seed, |draw| {
        SHORTEST + (draw * (PERIOD - SHORTEST + 1) as f32) as usize
    })
}

/// Sequences to test with: `(size, 2 · period)`, u32, each a block of `period` different tokens, twice.
///
/// Errors unless `period` is from 1 to [`VOCAB`].
pub fn repeated(size: usize, period: usize, seed: u64) -> Result<Tensor> {
    if !(1..=VOCAB).contains(&period) {
        bail!("period: expected from 1 to {VOCAB} different tokens; got {period}");
    }
    sequences(size, 2 * period, seed, |_| period)
}

fn sequences(
    size: usize,
    seq: usize,
    seed: u64,
    period: impl Fn(f32) -> usize,
) -> Result<Tensor> {
    let draws = seeded::uniform(seed, (size, VOCAB + 1))?.to_vec2::<f32>()?;
    let mut tokens = Vec::with_capacity(size * seq);
    for draws in draws {
        let mut block: Vec<u32> = (0..VOCAB as u32).collect();
        for (at, draw) in draws[..VOCAB].iter().enumerate() {
            block.swap(at, at + (draw * (VOCAB - at) as f32) as usize);
        }
        let period = period(draws[VOCAB]);
        tokens.extend((0..seq).map(|at| block[at % period]));
    }
    Tensor::from_vec(tokens, (size, seq), &Device::Cpu)
}

/// The loss of knowing nothing: ln [`VOCAB`].
pub fn chance() -> f64 {
    (VOCAB as f64).ln()
}

/// The loss of knowing that the block is one of nine lengths, but not which: the answer stands at one of nine places.
pub fn one_of_the_lengths() -> f64 {
    ((PERIOD - SHORTEST + 1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn blocks_of_different_tokens_repeat() -> Result<()> {
        let mut periods = HashSet::new();
        for sequence in draw(200, 1)?.to_vec2::<u32>()? {
            let period =
                (1..SEQ).find(|&at| sequence[at] == sequence[0]).unwrap_or(SEQ);
            let block: HashSet<u32> = sequence[..period].iter().copied().collect();
            assert_eq!(block.len(), period);
            assert!((period..SEQ).all(|at| sequence[at] == sequence[at - period]));
            periods.insert(period);
        }
        assert_eq!(periods, (SHORTEST..=PERIOD).collect());
        Ok(())
    }

    #[test]
    fn tests_have_the_block_twice() -> Result<()> {
        let tokens = repeated(3, 5, 2)?;
        assert_eq!(tokens.dims(), [3, 10]);
        let halves = [tokens.narrow(1, 0, 5)?, tokens.narrow(1, 5, 5)?];
        assert_eq!(halves[0].to_vec2::<u32>()?, halves[1].to_vec2::<u32>()?);
        assert!(repeated(1, 0, 2).is_err() && repeated(1, VOCAB + 1, 2).is_err());
        Ok(())
    }
}
