//! Given: what this machine's processor can do, measured, so that it can stand under a roof of its own.

use crate::{
    Attend, Cpu, Naive,
    plots::{Work, intensities},
    solution::forward_flops,
};
use candle_core::{DType, Result, Tensor, utils::get_num_threads};
use std::{hint::black_box, thread, time::Instant};
use varlen::timing::medians;

const MEBI: usize = 1 << 20;

/// f32 operations a second in a product of two 1,536 × 1,536 matrices.
pub fn peak(rounds: usize) -> Result<f64> {
    let (a, b) = (seeded::normal(1, (1536, 1536))?, seeded::normal(2, (1536, 1536))?);
    let [ms] = medians(rounds, [&|| a.matmul(&b)])?;
    Ok(2. * 1536f64.powi(3) / (ms / 1e3))
}

/// Bytes a second between memory and the processor: all threads copy 256 MiB, which count as read and as written.
pub fn bandwidth(rounds: usize) -> f64 {
    let (from, mut to) = (vec![1f32; 64 * MEBI], vec![0f32; 64 * MEBI]);
    let part = from.len().div_ceil(get_num_threads());
    let mut taken: Vec<f64> = (0..rounds.max(1)).map(|_| copy(&from, &mut to, part)).collect();
    taken.sort_by(f64::total_cmp);
    2. * size_of_val(from.as_slice()) as f64 / taken[taken.len() / 2]
}

/// Seconds of a copy with one thread per part.
fn copy(from: &[f32], to: &mut [f32], part: usize) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for (from, to) in from.chunks(part).zip(to.chunks_mut(part)) {
            scope.spawn(|| to.copy_from_slice(from));
        }
    });
    black_box(to);
    start.elapsed().as_secs_f64()
}

/// Attention of 4 heads of 64 in f32, timed: with all scores in memory, in tiles, and in tiles with a single query.
pub fn attention(rounds: usize) -> Result<Vec<Work>> {
    let (naive, flash) = intensities(2048, 2048, 64, DType::F32);
    let (_, one_query) = intensities(1, 65_536, 64, DType::F32);
    Ok(vec![
        Work::measured("naive, 2,048 tokens", naive, timed(&Naive, 2048, 2048, rounds)?),
        Work::measured("flash, 2,048 tokens", flash, timed(&Cpu, 2048, 2048, rounds)?),
        Work::measured("flash, 1 query, 65,536 keys", one_query, timed(&Cpu, 1, 65_536, rounds)?),
    ])
}

/// Naive attention of 2,048 tokens, 4 heads of 64, in f32: ms of its two products alone, and of all of it.
pub fn naive_parts(rounds: usize) -> Result<[f64; 2]> {
    let [q, k, v] = [1, 2, 3].map(|seed| seeded::normal(seed, (1, 4, 2048, 64)));
    let (q, k, v) = (q?, k?, v?);
    let weights = seeded::normal(4, (1, 4, 2048, 2048))?;
    let products = || {
        q.matmul(&k.t()?.contiguous()?)?;
        weights.matmul(&v)
    };
    medians(rounds, [&products, &|| Naive.dense(&q, &k, &v, 0.125, false)])
}

/// Operations a second of 4 heads of 64.
fn timed(attend: &dyn Attend, seq_q: usize, seq_k: usize, rounds: usize) -> Result<f64> {
    let q = seeded::normal(1, (1, 4, seq_q, 64))?;
    let [k, v] = [2, 3].map(|seed| seeded::normal(seed, (1, 4, seq_k, 64)));
    let (k, v): (Tensor, Tensor) = (k?, v?);
    let [ms] = medians(rounds, [&|| attend.dense(&q, &k, &v, 0.125, false)])?;
    Ok(forward_flops(1, 4, seq_q, seq_k, 64, false) / (ms / 1e3))
}
