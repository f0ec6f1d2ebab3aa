//! A language that is made up: each token follows from the two before it.

use candle_core::{Device, Result, Tensor};

/// How many different tokens there are.
pub const VOCAB: usize = 8;

/// How often the token that follows is the one that the two before it ask for; else it is any of the others.
const SURE: f64 = 0.9;

/// Which token the two before it ask for.
fn asked(table: &[f32], before: [usize; 2]) -> usize {
    (table[before[0] * VOCAB + before[1]] * VOCAB as f32) as usize
}

/// `size` sequences of `seq` tokens: u32 `(size, seq)`. One `seed` gives one batch; the language is always the same.
pub fn draw(size: usize, seq: usize, seed: u64) -> Result<Tensor> {
    let table = seeded::uniform(0, VOCAB * VOCAB)?.to_vec1::<f32>()?;
    let draws = seeded::uniform(seed, (size, seq, 2))?.to_vec3::<f32>()?;
    let mut tokens = Vec::with_capacity(size * seq);
    for draws in draws {
        let mut before = [0, 0];
        for draw in draws {
            let wanted = asked(&table, before);
            let other = (wanted + 1 + (draw[1] * (VOCAB - 1) as f32) as usize) % VOCAB;
            let next = if f64::from(draw[0]) < SURE { wanted } else { other };
            before = [before[1], next];
            tokens.push(next as u32);
        }
    }
    Tensor::from_vec(tokens, (size, seq), &Device::Cpu)
}

/// The least loss that any model can reach, in nats per token: the entropy of the next token, given those before it.
pub fn floor() -> f64 {
    let other = (1. - SURE) / (VOCAB - 1) as f64;
    -SURE * SURE.ln() - (1. - SURE) * other.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_from_the_two_before_it() -> Result<()> {
        let rows = draw(50, 40, 1)?.to_vec2::<u32>()?;
        let table = seeded::uniform(0, VOCAB * VOCAB)?.to_vec1::<f32>()?;
        let (mut as_asked, mut all) = (0, 0);
        for row in &rows {
            for three in row.windows(3) {
                let before = [three[0] as usize, three[1] as usize];
                as_asked += usize::from(asked(&table, before) == three[2] as usize);
                all += 1;
            }
        }
        // 1,900 draws of 0.9 have a standard deviation of 0.007.
        let share = f64::from(as_asked as u32) / f64::from(all);
        assert!((share - SURE).abs() < 0.035, "{share}");
        Ok(())
    }
}
