//! A language that no one speaks, and a cross-attention that learns to read it.
//!
//! The English words are week 1's, in [`DIM`] dimensions. Each foreign word is one of them multiplied by a secret matrix,
//! plus a little noise. So there is something to learn: which matrices bring the two languages together. Every fourth
//! word is held out, to tell learning from remembering.

use crate::{MultiHeadAttention, MultiHeadConfig, weights::seeded_weights};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder};
use dot_products::words::WordVectors;

/// The dimension of a word in either language.
pub const DIM: usize = 16;
/// The English words at the beginning of week 1's table; French ones follow.
const ENGLISH: usize = 109;
/// The size of the noise, where the words' numbers have variance 1.
const NOISE: f64 = 0.1;

/// Two languages, word by word.
#[derive(Debug)]
pub struct Dictionary {
    /// The English words.
    pub words: Vec<String>,
    /// `(words, DIM)`.
    pub english: Tensor,
    /// `(words, DIM)`; row i means English word i.
    pub foreign: Tensor,
}

impl Dictionary {
    /// Week 1's English words, and a foreign language made from `seed`.
    pub fn new(seed: u64) -> Result<Self> {
        let table = WordVectors::load()?;
        let vectors = table.vectors().narrow(0, 0, ENGLISH)?; // (words, 384)
        let fewer = seeded::normal(seed, (vectors.dim(D::Minus1)?, DIM))?;
        let english = standardised(&vectors.matmul(&fewer)?)?;
        let secret = (seeded::normal(seed + 1, (DIM, DIM))? / (DIM as f64).sqrt())?;
        let noise = (seeded::normal(seed + 2, (ENGLISH, DIM))? * NOISE)?;
        let foreign = (standardised(&english.matmul(&secret)?)? + noise)?;
        Ok(Self { words: table.words()[..ENGLISH].to_vec(), english, foreign })
    }

    /// The words that are trained on, or those that are held out: every fourth.
    pub fn positions(&self, held_out: bool) -> Vec<u32> {
        (0..ENGLISH as u32).filter(|at| (at % 4 == 3) == held_out).collect()
    }

    /// All words.
    pub fn all(&self) -> Vec<u32> {
        (0..ENGLISH as u32).collect()
    }

    /// The position of `word`. Errors when it is not in the dictionary.
    pub fn position(&self, word: &str) -> Result<u32> {
        let found = self.words.iter().position(|known| known == word);
        let found = found.map(|at| at as u32);
        found.ok_or_else(|| {
            candle_core::Error::msg(format!("{word:?} is not in the dictionary"))
        })
    }
}

/// Each column with mean 0 and variance 1.
fn standardised(x: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.mean_keepdim(0)?)?;
    x.broadcast_div(&x.sqr()?.mean_keepdim(0)?.sqrt()?)
}

/// A batch of one: the rows of `x` at `positions`, `(1, positions, DIM)`.
pub fn sequence(x: &Tensor, positions: &[u32]) -> Result<Tensor> {
    x.index_select(&Tensor::new(positions, &Device::Cpu)?, 0)?.unsqueeze(0)
}

/// Trains one head to look at the English word that a foreign word means, for `steps` steps over all words not held out.
///
/// The loss is −ln of the weight on that word, so it goes through the returned weights. `shift` 0 teaches the right pairs;
/// any other number teaches each word with the meaning of the word that many places further on.
pub fn train(
    dictionary: &Dictionary,
    steps: usize,
    shift: usize,
) -> Result<MultiHeadAttention> {
    let config = MultiHeadConfig { bias: false, ..MultiHeadConfig::new(DIM, 1) };
    let vars = seeded_weights(&config, 1)?;
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layer = MultiHeadAttention::new(&config, vb)?;
    let params = ParamsAdamW { lr: 0.02, weight_decay: 0., ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vars.all_vars(), params)?;
    let learned = dictionary.positions(false);
    let mut meant = learned.clone();
    meant.rotate_left(shift);
    let meant = Tensor::new(meant, &Device::Cpu)?.unsqueeze(1)?; // (learned, 1)
    for _ in 0..steps {
        let weights = looks(&layer, dictionary, &learned, &dictionary.all())?; // (learned, words)
        let loss = weights.gather(&meant, D::Minus1)?.log()?.mean_all()?.neg()?;
        optimizer.backward_step(&loss)?;
    }
    Ok(layer)
}

/// The weights of the foreign words at `from` over the English words at `to`: `(from, to)`.
pub fn looks(
    layer: &MultiHeadAttention,
    dictionary: &Dictionary,
    from: &[u32],
    to: &[u32],
) -> Result<Tensor> {
    let (query, memory) =
        (sequence(&dictionary.foreign, from)?, sequence(&dictionary.english, to)?);
    let (_, weights) = layer.forward(&query, &memory, &memory, None, true, false)?;
    let weights = weights
        .ok_or_else(|| candle_core::Error::msg("asked for weights, got none"))?;
    weights.squeeze(0)?.squeeze(0)
}

/// For each foreign word at `from`, the rank of the right word among all English words, by weight: 1 is the first.
pub fn ranks(
    layer: &MultiHeadAttention,
    dictionary: &Dictionary,
    from: &[u32],
) -> Result<Vec<usize>> {
    let weights =
        looks(layer, dictionary, from, &dictionary.all())?.to_vec2::<f32>()?;
    let rank = |(&at, row): (&u32, &Vec<f32>)| {
        let right = row[at as usize];
        1 + row.iter().filter(|&&weight| weight > right).count()
    };
    Ok(from.iter().zip(&weights).map(rank).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean rank, and the share of words that rank first.
    fn score(layer: &MultiHeadAttention, held_out: bool) -> Result<(f64, f64)> {
        let dictionary = Dictionary::new(1)?;
        let ranks = ranks(layer, &dictionary, &dictionary.positions(held_out))?;
        let words = ranks.len() as f64;
        let first = ranks.iter().filter(|&&rank| rank == 1).count() as f64;
        Ok((ranks.iter().sum::<usize>() as f64 / words, first / words))
    }

    #[test]
    fn it_reads_words_that_it_was_not_taught_and_its_controls_do_not() -> Result<()> {
        one_thread::candle();
        let dictionary = Dictionary::new(1)?;
        let (untrained, misled) =
            (train(&dictionary, 0, 0)?, train(&dictionary, 200, 41)?);
        let trained = train(&dictionary, 200, 0)?;
        for control in [&untrained, &misled] {
            for held_out in [false, true] {
                let (mean, first) = score(control, held_out)?;
                assert!(
                    mean > 40. && first < 0.1,
                    "a control at rank {mean}, {first} first"
                );
            }
        }
        let ((taught, _), (held_out, first)) =
            (score(&trained, false)?, score(&trained, true)?);
        assert!(
            taught < 1.1 && held_out < 4. && first > 0.5,
            "{taught} {held_out} {first}"
        );
        Ok(())
    }
}
