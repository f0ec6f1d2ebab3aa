//! Three tasks with answers that can be checked: copy, reverse, sort.

use candle_core::{Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive, str::FromStr};

pub use crate::tokens::{END, PADDING, START, SYMBOLS, VOCAB};

/// The most tokens that a batch may have.
const MOST: usize = 1 << 26;

/// What is to be made of a sequence of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The sequence itself.
    Copy,
    /// The sequence from its end.
    Reverse,
    /// The symbols in ascending order.
    Sort,
}

impl Task {
    /// The right answer to `source`, without [`START`] and [`END`].
    pub fn answer(self, source: &[u32]) -> Vec<u32> {
        let mut answer = source.to_vec();
        match self {
            Self::Copy => {}
            Self::Reverse => answer.reverse(),
            Self::Sort => answer.sort_unstable(),
        }
        answer
    }
}

impl fmt::Display for Task {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Copy => "copy",
            Self::Reverse => "reverse",
            Self::Sort => "sort",
        })
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "copy" => Ok(Self::Copy),
            "reverse" => Ok(Self::Reverse),
            "sort" => Ok(Self::Sort),
            other => Err(format!(
                "task: expected `copy`, `reverse` or `sort`; got `{other}`"
            )),
        }
    }
}

/// Sequences and their answers, `(batch, …)` u32, filled up with [`PADDING`].
#[derive(Clone, Debug)]
pub struct Batch {
    /// The symbols: `(batch, longest)`.
    pub source: Tensor,
    /// [`START`], the answer, [`END`]: `(batch, longest + 2)`.
    pub target: Tensor,
    /// What the decoder reads: the target without its last token, a view `(batch, longest + 1)`.
    pub target_in: Tensor,
    /// What it should say to that, token by token: the target without its first, a view `(batch, longest + 1)`.
    pub target_out: Tensor,
}

impl Batch {
    fn new(source: Tensor, target: Tensor) -> Result<Self> {
        let seq = target.dim(1)? - 1;
        let (target_in, target_out) =
            (target.narrow(1, 0, seq)?, target.narrow(1, 1, seq)?);
        Ok(Self { source, target, target_in, target_out })
    }

    /// `count` sequences from number `first` on.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        Self::new(
            self.source.narrow(0, first, count)?,
            self.target.narrow(0, first, count)?,
        )
    }
}

/// Draws `size` sequences: each length in `lengths` is as probable as the others, and so is each symbol.
///
/// The same `seed` gives the same batch on every machine. Errors when `size` or a length is 0, or `lengths` is empty.
pub fn draw(
    task: Task,
    size: usize,
    lengths: RangeInclusive<usize>,
    seed: u64,
) -> Result<Batch> {
    let (shortest, most) = (*lengths.start(), *lengths.end());
    if size == 0 {
        bail!("size: expected at least 1 sequence; got 0");
    }
    if shortest == 0
        || shortest > most
        || size.checked_mul(most).is_none_or(|all| all > MOST)
    {
        bail!(
            "lengths: expected at least 1, the lower one first, at most {MOST} tokens in all; got {size} of {shortest}..={most}"
        );
    }
    let pick = |draw: f32, count: usize| (f64::from(draw) * count as f64) as usize;
    let draws = seeded::uniform(seed, (size, most + 1))?.to_vec2::<f32>()?;
    let sources = draws.iter().map(|draws| {
        let length = shortest + pick(draws[0], most - shortest + 1);
        let symbol = |&draw| SYMBOLS.start() + pick(draw, SYMBOLS.count()) as u32;
        draws[1..=length].iter().map(symbol).collect::<Vec<_>>()
    });
    let sources: Vec<_> = sources.collect();
    let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
    let answers: Vec<_> = sources.iter().map(|source| task.answer(source)).collect();
    let target = |answer: &Vec<u32>| [&[START], &answer[..], &[END]].concat();
    let targets = answers.iter().map(target).collect();
    Batch::new(padded(sources, longest)?, padded(targets, longest + 2)?)
}

fn padded(mut rows: Vec<Vec<u32>>, width: usize) -> Result<Tensor> {
    rows.iter_mut().for_each(|row| row.resize(width, PADDING));
    Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)
}
