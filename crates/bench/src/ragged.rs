//! Sequences of different lengths: how long they are, and the ways to attend within each.

use crate::rows::Row;
use crate::ways::{Check, Way, each, last_queries};
use candle_core::{Device, Result, Tensor};
use flash::{SdpaOptions, flash_attention};

/// Of all seeds the first with which [`lengths`] has a mean of 930 and a longest of 1,894.
const SEED: u64 = 7515;
/// The longest that a sequence may be.
const LONGEST: usize = 1894;
const COUNT: usize = 32;

/// The lengths of 32 sequences: drawn evenly from 1 to 1,894.
pub fn lengths() -> Result<Vec<usize>> {
    let draws: Vec<f32> = seeded::uniform(SEED, COUNT)?.to_vec1()?;
    Ok(draws.into_iter().map(|draw| 1 + (draw * LONGEST as f32) as usize).collect())
}

/// The ways to attend within each sequence, all of them dense.
pub fn ways(row: &Row, threads: &[usize]) -> Result<(Vec<Way>, Check)> {
    let Row { heads, dim, .. } = *row;
    let lengths = lengths()?;
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut parts: Vec<[Tensor; 3]> = vec![];
    for (at, length) in lengths.iter().enumerate() {
        let part = |seed: usize| seeded::normal((3 * at + seed) as u64, (1, heads, *length, dim));
        parts.push([part(0)?, part(1)?, part(2)?]);
    }
    let first = parts[0].clone();
    let check = move |results: &[Tensor]| {
        let [q, k, v] = &first;
        let out = of_first(&results[0], q.dim(2)?)?;
        last_queries(&[out], [q, k, v], false)
    };

    // (batch, heads, longest, dim), zeros after a sequence's end, and u8 (batch, 1, 1, longest): 1 where a token is
    let pad = |x: usize| -> Result<Tensor> {
        let padded =
            parts.iter().map(|part| part[x].pad_with_zeros(2, 0, longest - part[x].dim(2)?));
        Tensor::cat(&padded.collect::<Result<Vec<_>>>()?, 0)
    };
    let [q, k, v] = [pad(0)?, pad(1)?, pad(2)?];
    let keep: Vec<u8> = lengths
        .iter()
        .flat_map(|length| (0..longest).map(move |at| u8::from(at < *length)))
        .collect();
    let keep = Tensor::from_vec(keep, (lengths.len(), 1, 1, longest), &Device::Cpu)?;
    let options = SdpaOptions::default().keep(keep);
    let padded = move || Ok(vec![flash_attention(&q, &k, &v, &options)?]);
    let one_by_one = move || {
        let plain = SdpaOptions::default();
        parts.iter().map(|[q, k, v]| flash_attention(q, k, v, &plain)).collect()
    };
    let mut ways = each("kernel-padded", threads, padded);
    ways.extend(each("kernel-one-by-one", threads, one_by_one));
    Ok((ways, Box::new(check)))
}

/// The first sequence's output `(1, heads, length, dim)` out of all, padded, packed or one by one.
fn of_first(out: &Tensor, length: usize) -> Result<Tensor> {
    match out.rank() {
        3 => out.narrow(0, 0, length)?.transpose(0, 1)?.unsqueeze(0), // of (total, heads, dim)
        _ => out.narrow(0, 0, 1)?.narrow(2, 0, length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_are_as_stated() -> Result<()> {
        let lengths = lengths()?;
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        assert_eq!((lengths.len(), mean.round()), (32, 930.));
        assert_eq!(lengths.iter().max(), Some(&LONGEST));
        Ok(())
    }
}
