//! What a trained model gets right on newly drawn sequences.

use super::{
    part::side_by_side,
    settings::{Settings, seed_of},
    tasks::{Batch, draw},
};
use crate::{
    model::Transformer,
    tokens::{END, PADDING, START},
};
use candle_core::{Result, Tensor};

/// Sequences that are decoded together.
const CHUNK: usize = 125;

/// What `model` writes for `source` `(batch, seq)`, token by token: `(batch, at most max_len)`, ended by [`END`].
pub fn write(
    model: &Transformer,
    settings: &Settings,
    source: &Tensor,
    max_len: usize,
) -> Result<Tensor> {
    let encode = |source: &Tensor| model.encode(source, false);
    let decode =
        |target: &Tensor, memory: &Tensor| model.decode(target, memory, source, false);
    settings.path.greedy_decode()(source, &encode, &decode, [START, END], max_len)
}

/// The share of `count` newly drawn sequences that `model` writes right to the last token, [`END`] included.
///
/// Task, lengths and seed are those of `settings`. No step of the training drew from the same seed; of short sequences
/// there are so few that it has seen them all the same.
pub fn exact_match(
    model: &Transformer,
    settings: &Settings,
    count: usize,
) -> Result<f64> {
    let chunks = count.div_ceil(CHUNK);
    let threads = settings.threads.clamp(1, chunks.max(1));
    let rights = side_by_side(threads, |thread| {
        let mut right = 0;
        for chunk in (thread..chunks).step_by(threads) {
            let size = CHUNK.min(count - chunk * CHUNK);
            let seed = seed_of(settings.seed, "held out", chunk);
            let batch = draw(settings.task, size, settings.lengths.clone(), seed)?;
            let (_, longest) = batch.target_out.dims2()?;
            right +=
                all_right(&write(model, settings, &batch.source, longest)?, &batch)?;
        }
        Ok(right)
    })?;
    Ok(rights.iter().sum::<usize>() as f64 / count.max(1) as f64)
}

/// How many rows of `written` are right.
fn all_right(written: &Tensor, batch: &Batch) -> Result<usize> {
    let (written, mut targets) =
        (written.to_vec2::<u32>()?, batch.target_out.to_vec2::<u32>()?);
    targets.iter_mut().for_each(|target| target.retain(|&token| token != PADDING));
    let pairs = written.iter().zip(&targets);
    Ok(pairs.filter(|(written, target)| written.starts_with(target)).count())
}
