//! Training a Transformer, step by step, the same from run to run.

mod evaluation;
mod part;
mod settings;

pub use evaluation::{exact_match, write};
pub use settings::{CodePath, GreedyDecode, Settings};

use crate::{
    Transformer,
    adam::{Adam, Named},
    checkpoint::Checkpoint,
    init::seeded_builder,
    tasks::{Batch, draw},
};
use candle_core::{Result, Var, bail};
use candle_nn::VarMap;
use multi_head::SeedStream;
use part::{Part, model, real, side_by_side};
use std::time::Instant;

/// How a training went so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The mean loss of each step's batch, before the step.
    pub losses: Vec<f32>,
    /// The share of each batch's target tokens that the model said first of all, in [0, 1].
    pub accuracies: Vec<f32>,
    /// Target tokens seen, END included, padding not.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
}

/// A model in training.
pub struct Trainer {
    settings: Settings,
    vars: VarMap,
    named: Vec<(String, Var)>,
    adam: Adam,
    history: History,
}

impl Trainer {
    /// A new model, with weights drawn from the settings' seed. Errors when a setting is out of its range.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.validate()?;
        let vars = VarMap::new();
        let vb = seeded_builder(&vars, settings.seed);
        Transformer::new(&settings.model, &settings.path.parts(), vb)?;
        let mut named: Vec<_> = {
            let vars = vars.data().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            vars.iter().map(|(name, var)| (name.clone(), var.clone())).collect()
        };
        named.sort_by(|one, other| one.0.cmp(&other.0));
        let adam = Adam::new(named.clone(), settings.adam)?;
        Ok(Self { settings, vars, named, adam, history: History::default() })
    }

    /// Goes on where `checkpoint` was saved. Errors, naming both values, when it was made with other settings.
    pub fn resume(settings: Settings, checkpoint: Checkpoint) -> Result<Self> {
        if let Some((name, theirs, ours)) = checkpoint.settings.difference(&settings)? {
            bail!(
                "the checkpoint was made with {name} = {theirs}, and you ask for {ours}: give the same settings, or another file, or train anew without --resume"
            );
        }
        let mut trainer = Self::new(settings)?;
        for (name, var) in &trainer.named {
            match checkpoint.variables.get(name) {
                Some(tensor) if tensor.shape() == var.shape() => var.set(tensor)?,
                Some(tensor) => bail!(
                    "the checkpoint's {name} is {:?}; expected {:?}: train anew without --resume",
                    tensor.shape(),
                    var.shape()
                ),
                None => bail!("the checkpoint has no {name}: train anew without --resume"),
            }
        }
        trainer.adam.restore(checkpoint.step, checkpoint.moments)?;
        trainer.history = checkpoint.history;
        Ok(trainer)
    }

    /// All that is needed to go on from here.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let copy =
            |(name, var): &(String, Var)| Ok((name.clone(), var.as_detached_tensor().copy()?));
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

    /// What is learnt, by name.
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
        model(&self.settings, &self.vars, "model")
    }

    /// One step on a fresh batch. Errors when a variable has no gradient or the loss is not a number.
    ///
    /// The batch is divided between the settings' threads, each with a model over the same variables and with its own
    /// gradients. A part's loss has the weight of its target tokens, so the sum is the mean over all of them.
    pub fn step(&mut self) -> Result<()> {
        let start = Instant::now();
        let settings = &self.settings;
        let step = self.adam.steps() + 1;
        let seed = draws(settings.seed, "batch", step);
        let batch = draw(settings.task, settings.batch, settings.lengths.clone(), seed)?;
        let tokens = real(&batch.target_out)?;
        let batches = divide(&batch, settings.threads)?;
        let parts = side_by_side(batches.len(), |at| {
            let pass = format!("seed {} step {step} part {at}", settings.seed);
            let model = model(settings, &self.vars, &pass)?;
            Part::run(&model, &self.named, &batches[at], settings.smoothing, tokens)
        })?;
        let loss = parts.iter().map(|part| part.loss).sum::<f64>();
        let right = parts.iter().map(|part| part.right).sum::<usize>();
        if !loss.is_finite() {
            bail!(
                "the loss of step {step} is {loss}: the learning rate is too high for this model"
            );
        }
        self.adam.step(settings.schedule.rate(step), &sum(parts)?)?;
        self.history.losses.push(loss as f32);
        self.history.accuracies.push(right as f32 / tokens as f32);
        self.history.tokens += tokens as u64;
        self.history.seconds += start.elapsed().as_secs_f64();
        Ok(())
    }
}

/// A seed for each `purpose` and number of a training with `seed`.
fn draws(seed: u64, purpose: &str, number: usize) -> u64 {
    SeedStream::named(&format!("{seed} {purpose} {number}")).next_seed()
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
