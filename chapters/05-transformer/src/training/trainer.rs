//! A model in training.

use super::{
    adam::Adam,
    checkpoint::Checkpoint,
    history::History,
    part::{Part, real, side_by_side},
    settings::{Settings, seed_of},
    tasks::{Batch, draw},
    variables::{Named, named},
};
use crate::model::{Parts, Transformer, init::seeded_builder};
use candle_core::{DType, Device, Result, Var, bail};
use candle_nn::{VarBuilder, VarMap};
use std::time::Instant;

/// A model in training.
pub struct Trainer {
    settings: Settings,
    parts: Parts,
    vars: VarMap,
    named: Vec<(String, Var)>,
    /// One for each thread, over the same variables.
    models: Vec<Transformer>,
    adam: Adam,
    history: History,
}

impl Trainer {
    /// A new model, with weights drawn from the settings' seed. Errors when a setting is out of its range.
    pub fn new(settings: Settings) -> Result<Self> {
        let parts = settings.path.parts();
        Self::with_parts(settings, parts)
    }

    /// As [`new`](Self::new), with a model made of other functions than the settings' path says.
    pub fn with_parts(settings: Settings, parts: Parts) -> Result<Self> {
        settings.validate()?;
        let vars = VarMap::new();
        Transformer::new(
            &settings.model,
            &parts,
            seeded_builder(&vars, settings.seed),
        )?;
        let model = || Transformer::new(&settings.model, &parts, over(&vars));
        let count = settings.threads.min(settings.batch);
        let models = (0..count).map(|_| model()).collect::<Result<_>>()?;
        let named = named(&vars);
        let adam = Adam::new(named.clone(), settings.adam)?;
        Ok(Self {
            settings,
            parts,
            vars,
            named,
            models,
            adam,
            history: History::default(),
        })
    }

    /// Goes on where `checkpoint` was saved. Errors, naming both values, when it was made with other settings.
    pub fn resume(settings: Settings, checkpoint: Checkpoint) -> Result<Self> {
        if let Some((name, theirs, ours)) = checkpoint.settings.difference(&settings)? {
            bail!(
                "the checkpoint was made with {name} = {theirs}, and you ask for {ours}: give the same settings, or another file, or train anew"
            );
        }
        let mut trainer = Self::new(settings)?;
        for (name, var) in &trainer.named {
            match checkpoint.variables.get(name) {
                Some(tensor) if tensor.shape() == var.shape() => var.set(tensor)?,
                Some(tensor) => bail!(
                    "the checkpoint's {name} is {:?}; expected {:?}: train anew",
                    tensor.shape(),
                    var.shape()
                ),
                None => {
                    bail!("the checkpoint has no {name}: train anew")
                }
            }
        }
        trainer.adam.restore(checkpoint.step, checkpoint.moments)?;
        trainer.history = checkpoint.history;
        Ok(trainer)
    }

    /// All that is needed to go on from here.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let copy = |(name, var): &(String, Var)| {
            Ok((name.clone(), var.as_detached_tensor().copy()?))
        };
        Ok(Checkpoint {
            settings: self.settings.clone(),
            step: self.adam.steps(),
            history: self.history.clone(),
            variables: self.named.iter().map(copy).collect::<Result<_>>()?,
            moments: self.adam.moments().clone(),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is learned, by name.
    pub fn variables(&self) -> &[(String, Var)] {
        &self.named
    }

    /// How it went so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.adam.steps()
    }

    /// The model as it is now; it goes on learning with the trainer.
    pub fn model(&self) -> Result<Transformer> {
        Transformer::new(&self.settings.model, &self.parts, over(&self.vars))
    }

    // ANCHOR: step
    /// One step on a fresh batch. Errors when a variable has no gradient or the loss
    /// is not finite.
    ///
    /// The batch is divided between the settings' threads, each with a model over the
    /// same variables and with its own gradients. A part's loss has the weight of its
    /// target tokens, so the sum is the mean over all of them.
    pub fn step(&mut self) -> Result<()> {
        let start = Instant::now();
        let (settings, step) = (&self.settings, self.adam.steps() + 1);
        let seed = seed_of(settings.seed, "batch", step);
        let lengths = settings.lengths.clone();
        let batch = draw(settings.task, settings.batch, lengths, seed)?;
        let tokens = real(&batch.target_out)?;
        let batches = divide(&batch, self.models.len())?;
        let parts = side_by_side(batches.len(), |at| {
            let seed = seed_of(settings.seed, &format!("dropout of part {at}"), step);
            Part::run(
                &self.models[at],
                &self.named,
                &batches[at],
                settings,
                tokens,
                seed,
            )
        })?;
        let loss = parts.iter().map(|part| part.loss).sum::<f64>();
        let right = parts.iter().map(|part| part.right).sum::<usize>();
        self.adam.step(settings.schedule.rate(step), &sum(parts)?)?;
        self.history.losses.push(loss as f32);
        self.history.accuracies.push(right as f32 / tokens as f32);
        self.history.tokens += tokens as u64;
        self.history.seconds += start.elapsed().as_secs_f64();
        Ok(())
    }
    // ANCHOR_END: step
}

/// Gives a model the variables of `vars`.
fn over(vars: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu)
}

/// At most `count` parts of nearly the same number of sequences.
fn divide(batch: &Batch, count: usize) -> Result<Vec<Batch>> {
    let rows = batch.source.dim(0)?;
    let count = count.clamp(1, rows);
    let first = |at: usize| at * rows / count;
    (0..count).map(|at| batch.rows(first(at), first(at + 1) - first(at))).collect()
}

/// The sum of all gradients, always in the same order.
fn sum(parts: Vec<Part>) -> Result<Named> {
    let mut sums = Named::new();
    for (name, gradient) in parts.into_iter().flat_map(|part| part.gradients) {
        let sum = match sums.get(&name) {
            Some(sum) => (sum + gradient)?,
            None => gradient,
        };
        sums.insert(name, sum);
    }
    Ok(sums)
}
