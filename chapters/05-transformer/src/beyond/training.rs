//! The same training for all, and the same trial.

use super::{
    language::draw,
    model::{Positions, Reader},
};
use crate::{
    model::init::seeded_builder,
    training::{
        adam::{Adam, AdamSettings},
        schedule::Schedule,
        variables::{named, take_gradients},
    },
};
use candle_core::{D, Result, Tensor};
use candle_nn::VarMap;

/// Tokens that a model reads in training.
pub const TRAINED: usize = 32;
/// Sequences per step.
const BATCH: usize = 16;
/// The highest learning rate, and the steps in which it is reached.
const PEAK: (f64, usize) = (5e-3, 50);

/// −log p of each token after the first: `(batch, seq − 1)`.
fn losses(reader: &Reader, tokens: &Tensor, reach: Option<usize>) -> Result<Tensor> {
    let seq = tokens.dim(1)? - 1;
    let log_probs = reader.forward(&tokens.narrow(1, 0, seq)?, reach)?;
    let next = tokens.narrow(1, 1, seq)?.unsqueeze(2)?.contiguous()?;
    log_probs.gather(&next, D::Minus1)?.squeeze(2)?.neg()
}

/// Trains a model with `positions` for `steps` steps on sequences of [`TRAINED`] tokens. One `seed` gives one model;
/// models of one seed see the same sequences.
pub fn train(positions: Positions, steps: usize, seed: u64) -> Result<Reader> {
    let vars = VarMap::new();
    let reader = Reader::new(positions, seeded_builder(&vars, seed))?;
    let vars = named(&vars);
    let mut adam = Adam::new(vars.clone(), AdamSettings::PAPER)?;
    let (peak, warmup) = PEAK;
    let schedule = Schedule::Linear { peak, warmup, steps };
    for step in 1..=steps {
        let tokens =
            draw(BATCH, TRAINED + 1, seed.wrapping_mul(1_000_003) + step as u64)?;
        let gradients = losses(&reader, &tokens, None)?.mean_all()?.backward()?;
        adam.step(schedule.rate(step), &take_gradients(&vars, gradients)?)?;
    }
    Ok(reader)
}

/// The mean loss in nats at each position, over `size` sequences of `seq` tokens that no training has seen; `reach` as in
/// [`Reader::forward`].
pub fn losses_by_position(
    reader: &Reader,
    [size, seq]: [usize; 2],
    reach: Option<usize>,
) -> Result<Vec<f32>> {
    losses(reader, &draw(size, seq + 1, u64::MAX)?, reach)?.mean(0)?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_hides_what_is_further_back() -> Result<()> {
        let reader = Reader::new(Positions::Rope, seeded_builder(&VarMap::new(), 1))?;
        let rows = draw(2, 12, 1)?;
        let last = |tokens: &Tensor, reach| -> Result<Vec<Vec<f32>>> {
            reader.forward(tokens, reach)?.narrow(1, 11, 1)?.squeeze(1)?.to_vec2()
        };
        let other = Tensor::cat(&[&rows.narrow(1, 1, 1)?, &rows.narrow(1, 1, 11)?], 1)?;
        // Through two layers of reach 5, the last token sees the nine latest.
        assert_eq!(last(&rows, Some(5))?, last(&other, Some(5))?);
        assert_ne!(last(&rows, None)?, last(&other, None)?);
        assert_eq!(last(&rows, None)?, last(&rows, Some(12))?);
        Ok(())
    }
}
