//! How the model learns.

use super::{
    data,
    model::InductionModel,
    probe::{Snapshot, losses},
};
use candle_core::Result;
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarMap};
use transformer::{
    init::seeded_builder,
    training::variables::{expect_gradients, named},
};

/// Sequences per step. With 32, tensors have 2¹⁶ numbers, and candle divides each operation between all cores: for a model as
/// small as this one, and on a busy machine, that takes up to ten times as long.
const BATCH: usize = 30;
/// The learning rate, reached after [`WARMUP`] steps.
const RATE: f64 = 1e-2;
/// Steps in which the learning rate rises.
const WARMUP: usize = 50;
/// A snapshot is taken every so many steps, and after the last.
const EVERY: usize = 10;

/// A model after its training, and how it got there.
#[derive(Debug)]
pub struct Run {
    /// The model.
    pub model: InductionModel,
    /// The loss of each step, on sequences not seen before.
    pub losses: Vec<f32>,
    /// Never empty.
    snapshots: Vec<Snapshot>,
}

impl Run {
    /// How it stood before the first step, every ten steps, and after the last.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Before the first step.
    pub fn before(&self) -> &Snapshot {
        &self.snapshots[0]
    }

    /// After the last step.
    pub fn after(&self) -> &Snapshot {
        &self.snapshots[self.snapshots.len() - 1]
    }
}

/// Trains a model of `layers` layers for `steps` steps of 30 new sequences each. One seed gives one run.
///
/// Two layers learn the rule within 200 steps; by 500, the heads have settled. Errors when a variable gets no
/// gradient.
pub fn train(layers: usize, steps: usize, seed: u64) -> Result<Run> {
    let vars = VarMap::new();
    let model = InductionModel::new(layers, seeded_builder(&vars, seed))?;
    let named = named(&vars);
    let settings =
        ParamsAdamW { beta2: 0.99, weight_decay: 0., ..ParamsAdamW::default() };
    let mut optimizer =
        AdamW::new(named.iter().map(|(_, var)| var.clone()).collect(), settings)?;
    let mut run =
        Run { model, losses: Vec::with_capacity(steps), snapshots: Vec::new() };
    for step in 0..steps {
        if step % EVERY == 0 {
            run.snapshots.push(Snapshot::take(step, &run.model, &[])?);
        }
        let tokens =
            data::draw(BATCH, seed.wrapping_mul(1_000_003).wrapping_add(step as u64))?;
        let loss =
            losses(&run.model.forward(&tokens, &[])?.logits, &tokens)?.mean_all()?;
        let gradients = loss.backward()?;
        expect_gradients(&named, &gradients)?;
        optimizer.set_learning_rate(RATE * ((step + 1) as f64 / WARMUP as f64).min(1.));
        optimizer.step(&gradients)?;
        run.losses.push(loss.to_scalar()?);
    }
    run.snapshots.push(Snapshot::take(steps, &run.model, &[])?);
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_run() -> Result<()> {
        let (first, again) = (train(2, 2, 7)?, train(2, 2, 7)?);
        assert_eq!(first.losses, again.losses);
        assert_eq!(first.after().by_position, again.after().by_position);
        assert_ne!(first.losses, train(2, 2, 8)?.losses);
        Ok(())
    }

    #[test]
    fn no_steps_leave_one_snapshot() -> Result<()> {
        let run = train(1, 0, 1)?;
        assert_eq!((run.losses.len(), run.snapshots.len()), (0, 1));
        Ok(())
    }
}
