//! Given: timing things that take turns, and three ways to attend to a ragged batch.

use crate::{
    batch::Batch,
    solution::{self, keys, split},
};
use candle_core::{Result, Tensor};
use flash::{SdpaOptions, sdpa};
use multi_head::solution::combine_heads;
use std::time::Instant;

/// The median time of each of `runs` over so many rounds, in ms. They take turns, so that a busy moment of the machine
/// is shared by all; a first round warms up.
pub fn medians<const N: usize>(
    rounds: usize,
    runs: [&dyn Fn() -> Result<Tensor>; N],
) -> Result<[f64; N]> {
    let mut taken = [const { Vec::<f64>::new() }; N];
    for round in 0..=rounds {
        for (run, taken) in runs.iter().zip(&mut taken) {
            let start = Instant::now();
            run()?;
            if round > 0 {
                taken.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(taken.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied().unwrap_or(f64::NAN)
    }))
}

/// Attends to one sequence after another, each without padding: `(total, hidden)`.
pub fn one_by_one(batch: &Batch) -> Result<Tensor> {
    let attend = |ends: &[u32]| {
        let length = (ends[1] - ends[0]) as usize;
        let heads = |x: &Tensor| {
            let x = x.narrow(0, ends[0] as usize, length)?;
            x.reshape((1, length, batch.num_heads, batch.head_dim))?.transpose(1, 2)
        };
        let [q, k, v] = &batch.packed;
        let out = sdpa(&heads(q)?, &heads(k)?, &heads(v)?, &SdpaOptions::default())?;
        out.transpose(1, 2)?.flatten_from(2)?.squeeze(0)
    };
    let ends = batch.cu_seqlens.to_vec1::<u32>()?;
    Tensor::cat(&ends.windows(2).map(attend).collect::<Result<Vec<_>>>()?, 0)
}

/// Bidirectional attention three ways, medians in ms: padded with a mask, one by one, packed.
///
/// Whole variants are timed, from `hidden` to `hidden`, the copies into heads and back included.
pub fn three_ways(batch: &Batch, rounds: usize) -> Result<[f64; 3]> {
    let (heads, size) = (batch.num_heads, batch.head_dim);
    let padded = || {
        let [q, k, v] = &batch.padded;
        solution::sdpa_bidirectional(q, k, v, heads, size, &batch.keep)
    };
    let packed = || {
        let [q, k, v] = &batch.packed;
        solution::flash_bidirectional(q, k, v, heads, size, &batch.cu_seqlens, batch.max_seqlen)
    };
    medians(rounds, [&padded, &|| one_by_one(batch), &packed])
}

/// The padded way and its parts, medians in ms: all of it; the copies that split q, k and v into heads and combine the
/// output; the kernel when padded keys are hidden; and the kernel when nothing is.
pub fn padded_parts(batch: &Batch, rounds: usize) -> Result<[f64; 4]> {
    let heads = |x: &Tensor| split(x, batch.num_heads, batch.head_dim);
    let [q, k, v] = &batch.padded;
    let copies = || {
        heads(q)?;
        heads(k)?;
        combine_heads(&heads(v)?)
    };
    let (in_q, in_k, in_v) = (heads(q)?, heads(k)?, heads(v)?);
    let hidden = SdpaOptions::default().keep(keys(&batch.keep, k)?);
    let attend = |options: &SdpaOptions| sdpa(&in_q, &in_k, &in_v, options);
    let all =
        || solution::sdpa_bidirectional(q, k, v, batch.num_heads, batch.head_dim, &batch.keep);
    let full = || attend(&SdpaOptions::default());
    medians(rounds, [&all, &copies, &|| attend(&hidden), &full])
}

#[cfg(test)]
mod tests {
    use super::*;
    use compare::largest_error;

    #[test]
    fn one_by_one_is_packed() -> Result<()> {
        let batch = Batch::new(1, &[2, 1, 70, 4], 2, 8)?;
        let [q, k, v] = &batch.packed;
        let (ends, longest) = (&batch.cu_seqlens, batch.max_seqlen);
        let packed = solution::flash_bidirectional(q, k, v, 2, 8, ends, longest)?;
        let off = largest_error(&one_by_one(&batch)?, &packed)?;
        // Weighted means of numbers of size 1 to 4: a handful of roundings.
        assert!(off <= 64. * f64::from(f32::EPSILON), "{off}");
        Ok(())
    }
}
