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
/// Sequences a step.
const BATCH: usize = 16;
/// The highest learning rate, and the steps in which it is reached.
const PEAK: (f64, usize) = (5e-3, 50);

/// −log p of each token after the first: `(batch, seq − 1)`.
fn losses(reader: &Reader, tokens: &Tensor) -> Result<Tensor> {
    let seq = tokens.dim(1)? - 1;
    let log_probs = reader.forward(&tokens.narrow(1, 0, seq)?)?;
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
        let gradients = losses(&reader, &tokens)?.mean_all()?.backward()?;
        adam.step(schedule.rate(step), &take_gradients(&vars, gradients)?)?;
    }
    Ok(reader)
}

/// The mean loss in nats at each position, over `size` sequences of `seq` tokens that no training has seen.
pub fn losses_by_position(
    reader: &Reader,
    size: usize,
    seq: usize,
) -> Result<Vec<f32>> {
    losses(reader, &draw(size, seq + 1, u64::MAX)?)?.mean(0)?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::{super::floor, *};

    #[test]
    fn every_kind_of_positions_learns_something() -> Result<()> {
        for positions in Positions::ALL {
            let mean = |steps| -> Result<f32> {
                let losses =
                    losses_by_position(&train(positions, steps, 1)?, 20, TRAINED)?;
                Ok(losses.iter().sum::<f32>() / losses.len() as f32)
            };
            let (before, after) = (mean(0)?, mean(60)?);
            assert!(
                after < before && f64::from(after) > floor(),
                "{positions}: {before} {after}"
            );
        }
        Ok(())
    }
}
