//! One thread's part of a step.

use super::Settings;
use crate::{Transformer, adam::Named, model::PADDING, tasks::Batch};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use std::{panic::resume_unwind, thread};

/// What one part of a batch gives.
pub struct Part {
    /// The part's share of the batch's mean loss.
    pub loss: f64,
    /// Target tokens that the model said first of all.
    pub right: usize,
    /// The share's gradients.
    pub gradients: Named,
}

/// A model over `vars`. `pass` names this use of it: dropout draws the same numbers whenever it is the same.
///
/// A layer's seeds start at the layer's name, so `pass` is put before all names, and taken off again where the
/// variables are looked up.
pub fn model(settings: &Settings, vars: &VarMap, pass: &str) -> Result<Transformer> {
    let vb = VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu);
    let vb = vb.rename_f(|name| name.split_once('.').map_or(name, |(_, name)| name).to_owned());
    Transformer::new(&settings.model, &settings.path.parts(), vb.pp(pass))
}

impl Part {
    /// Forward and backward on `batch`, a part of one with `tokens` target tokens.
    pub fn run(
        model: &Transformer,
        vars: &[(String, Var)],
        batch: &Batch,
        smoothing: f64,
        tokens: usize,
    ) -> Result<Self> {
        let targets = &batch.target_out;
        let log_probs = model.forward(&batch.source, &batch.target_in, true)?;
        let mean = (model.parts().label_smoothing)(&log_probs, targets, smoothing, PADDING)?;
        let loss = (mean * (real(targets)? as f64 / tokens as f64))?;
        let mut store = loss.backward()?;
        let gradients =
            vars.iter().filter_map(|(name, var)| Some((name.clone(), store.remove(var)?)));
        let gradients = gradients.collect();
        Ok(Self {
            loss: f64::from(loss.to_scalar::<f32>()?),
            right: right(&log_probs, targets)?,
            gradients,
        })
    }
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
        let others: Vec<_> = (1..count).map(|at| scope.spawn(move || work(at))).collect();
        // All end before the first error is told: a panic of another would take its place.
        let first = work(0);
        let others: Vec<_> = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        [first].into_iter().chain(others).collect()
    })
}
