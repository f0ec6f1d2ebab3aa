//! One thread's part of a step.

use super::{
    settings::Settings,
    tasks::Batch,
    variables::{Named, take_gradients},
};
use crate::{model::Transformer, tokens::PADDING};
use candle_core::{D, Result, Tensor, Var};
use std::{cell::RefCell, panic::resume_unwind, thread};

/// What one part of a batch gives.
pub struct Part {
    /// The part's share of the batch's mean loss.
    pub loss: f64,
    /// Target tokens that the model ranked first.
    pub right: usize,
    /// The share's gradients.
    pub gradients: Named,
}

impl Part {
    // ANCHOR: run
    /// Forward and backward on `batch`, a part of one with `tokens` target tokens. The
    /// gradients are kept, to be added to those of the other parts.
    pub fn run(
        model: &Transformer,
        vars: &[(String, Var)],
        batch: &Batch,
        settings: &Settings,
        tokens: usize,
        seed: u64,
    ) -> Result<Self> {
        let weight = real(&batch.target_out)? as f64 / tokens as f64;
        let said = RefCell::new(None);
        let forward = |source: &Tensor, reads: &Tensor| {
            let log_probs = model.forward_seeded(source, reads, seed)?;
            said.replace(Some(log_probs.detach()));
            Ok(log_probs)
        };
        let smoothed = model.parts().label_smoothing;
        let loss = |log_probs: &Tensor, says: &Tensor| {
            smoothed(log_probs, says, settings.smoothing, PADDING)? * weight
        };
        let mut gradients = Named::new();
        let mut keep = |store| {
            gradients = take_gradients(vars, store)?;
            Ok(())
        };
        let step = settings.path.training_step();
        let loss = step([&batch.source, &batch.target], &forward, &loss, &mut keep)?;
        let right =
            said.into_inner().map_or(Ok(0), |said| right(&said, &batch.target_out))?;
        Ok(Self { loss, right, gradients })
    }
    // ANCHOR_END: run
}

/// How many tokens are not padding.
pub fn real(tokens: &Tensor) -> Result<usize> {
    let tokens = tokens.flatten_all()?.to_vec1::<u32>()?;
    Ok(tokens.iter().filter(|&&token| token != PADDING).count())
}

fn right(log_probs: &Tensor, targets: &Tensor) -> Result<usize> {
    let said = log_probs.argmax(D::Minus1)?.flatten_all()?.to_vec1::<u32>()?;
    let targets = targets.flatten_all()?.to_vec1::<u32>()?;
    let pairs = said.iter().zip(&targets);
    Ok(pairs.filter(|&(said, target)| target != &PADDING && said == target).count())
}

/// Does `work(0)`, `work(1)`, … in a thread each, the first in this one; results stand in that order.
pub fn side_by_side<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..count).map(|at| scope.spawn(move || work(at))).collect();
        // All end before the first error is told: a panic of another would take its place.
        let first = work(0);
        let others: Vec<_> = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        [first].into_iter().chain(others).collect()
    })
}
