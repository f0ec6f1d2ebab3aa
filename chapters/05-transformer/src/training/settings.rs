//! Everything that decides how a training goes.

use super::{adam::AdamSettings, schedule::Schedule, tasks::Task};
use crate::{
    exercise,
    model::{Parts, TransformerConfig},
    order::{Cross, NormOrder, Step, Update},
    solution,
};
use candle_core::{Error, Result, Tensor, bail};
use multi_head::SeedStream;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// As [`solution::greedy_decode`].
pub type GreedyDecode = fn(&Tensor, &Step, &Cross, [u32; 2], usize) -> Result<Tensor>;

/// As [`solution::training_step`].
pub type TrainingStep = fn([&Tensor; 2], &Cross, &Cross, &mut Update) -> Result<f64>;

/// Whose functions, and which, a model is trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodePath {
    /// The course's solutions, in plain candle operations.
    Readable,
    /// The same model with fused operations.
    Fast,
    /// What you wrote.
    Mine,
}

impl CodePath {
    /// The functions that a model is made of.
    pub fn parts(self) -> Parts {
        match self {
            Self::Readable => Parts::readable(),
            Self::Fast => Parts::fast(),
            Self::Mine => Parts::mine(),
        }
    }

    /// How a step is taken.
    pub fn training_step(self) -> TrainingStep {
        match self {
            Self::Readable | Self::Fast => solution::training_step,
            Self::Mine => exercise::training_step,
        }
    }

    /// How the trained model writes.
    pub fn greedy_decode(self) -> GreedyDecode {
        match self {
            Self::Readable | Self::Fast => solution::greedy_decode,
            Self::Mine => exercise::greedy_decode,
        }
    }
}

impl fmt::Display for CodePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Readable => "readable",
            Self::Fast => "fast",
            Self::Mine => "mine",
        })
    }
}

impl FromStr for CodePath {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "readable" => Ok(Self::Readable),
            "fast" => Ok(Self::Fast),
            "mine" => Ok(Self::Mine),
            other => Err(format!(
                "path: expected `readable`, `fast` or `mine`; got `{other}`"
            )),
        }
    }
}

/// Everything that decides how a training goes: two trainings with the same settings have the same losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What is learned.
    pub task: Task,
    /// How long the sequences are, in symbols.
    pub lengths: RangeInclusive<usize>,
    /// Sequences per step.
    pub batch: usize,
    /// Steps in all.
    pub steps: usize,
    /// Decides the first weights, the batches and dropout.
    pub seed: u64,
    /// Whose functions the model is made of.
    pub path: CodePath,
    /// Threads that each batch is divided between; more than there are sequences count as that many.
    pub threads: usize,
    /// The share of label smoothing, in [0, 1].
    pub smoothing: f64,
    /// The learning rate of each step.
    pub schedule: Schedule,
    /// Adam's.
    pub adam: AdamSettings,
    /// The sizes of the model.
    #[serde(with = "Sizes")]
    pub model: TransformerConfig,
}

/// The most steps, sequences per step, and tokens per sequence: far more than this week's model needs.
const MOST: usize = 1_000_000;

impl Settings {
    /// What learns `task` on sequences of `lengths` with the small model of this week.
    ///
    /// Copying and reversing sequences of one length up to 10 are soon learned; sorting many lengths takes the longest.
    pub fn recipe(
        task: Task,
        lengths: RangeInclusive<usize>,
        order: NormOrder,
        path: CodePath,
    ) -> Self {
        let short = lengths.start() == lengths.end() && *lengths.end() <= 10;
        let (peak, warmup, steps) = match (task == Task::Sort, short) {
            (false, true) => (3e-3, 40, 500),
            (true, false) => (5e-3, 100, 1400),
            _ => (5e-3, 100, 700),
        };
        Self {
            task,
            lengths,
            batch: 32,
            steps,
            seed: 1,
            path,
            threads: 2,
            smoothing: 0.,
            schedule: Schedule::Linear { peak, warmup, steps },
            adam: AdamSettings::PAPER,
            model: TransformerConfig::small(order),
        }
    }

    /// An error unless each setting is in its range.
    pub fn validate(&self) -> Result<()> {
        for (name, count) in
            [("batch", self.batch), ("steps", self.steps), ("threads", self.threads)]
        {
            if !(1..=MOST).contains(&count) {
                bail!("{name}: expected 1 to {MOST}; got {count}");
            }
        }
        let (shortest, longest) = (*self.lengths.start(), *self.lengths.end());
        if shortest == 0 || shortest > longest || longest > MOST {
            bail!(
                "lengths: expected 1 to {MOST}, the lower one first; got {shortest}..={longest}"
            );
        }
        let AdamSettings { beta1, beta2, eps } = self.adam;
        if ![beta1, beta2].iter().all(|beta| (0. ..1.).contains(beta))
            || eps.is_nan()
            || eps <= 0.
        {
            bail!(
                "adam: expected betas in [0, 1) and eps above 0; got {beta1}, {beta2} and {eps}"
            );
        }
        if !(0. ..=1.).contains(&self.smoothing) {
            bail!("smoothing: expected a share in [0, 1]; got {}", self.smoothing);
        }
        if let Schedule::Linear { peak, .. } = self.schedule
            && !(peak > 0. && peak.is_finite())
        {
            bail!("rate: expected a number above 0; got {peak}");
        }
        self.model.validate()
    }

    /// The first setting in which `other` differs, with both values: `("batch", "32", "64")`. What decides others, as the
    /// task decides the schedule, comes before them.
    pub fn difference(&self, other: &Self) -> Result<Option<(String, String, String)>> {
        let [ours, theirs] = [self, other].map(serde_json::to_value);
        let (ours, theirs) = (ours.map_err(Error::wrap)?, theirs.map_err(Error::wrap)?);
        let first = |name| differing(name, &ours[name], &theirs[name]);
        let first = ["task", "path", "model", "lengths"].into_iter().find_map(first);
        Ok(first.or_else(|| differing("", &ours, &theirs)))
    }
}

/// A seed for each `purpose` and number of a training with `seed`.
pub(super) fn seed_of(seed: u64, purpose: &str, number: usize) -> u64 {
    SeedStream::named(&format!("{seed} {purpose} {number}")).next_seed()
}

fn differing(
    name: &str,
    ours: &serde_json::Value,
    theirs: &serde_json::Value,
) -> Option<(String, String, String)> {
    if let (Some(ours), Some(theirs)) = (ours.as_object(), theirs.as_object())
        && ours.keys().eq(theirs.keys())
    {
        let dot = if name.is_empty() { "" } else { "." };
        return ours.iter().find_map(|(key, value)| {
            differing(&format!("{name}{dot}{key}"), value, &theirs[key])
        });
    }
    (ours != theirs).then(|| (name.to_owned(), ours.to_string(), theirs.to_string()))
}

/// How a [`TransformerConfig`] is written into a file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "TransformerConfig")]
struct Sizes {
    vocab: usize,
    d_model: usize,
    d_ff: usize,
    heads: usize,
    layers: usize,
    dropout: f64,
    #[serde(with = "Order")]
    order: NormOrder,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NormOrder", rename_all = "lowercase")]
enum Order {
    Pre,
    Post,
}
