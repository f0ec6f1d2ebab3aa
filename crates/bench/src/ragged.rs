//! Sequences of different lengths: how long they are, and the ways to attend within each.

use crate::off::last_queries;
use crate::rows::Row;
use crate::way::{Check, Way, each, most};
use candle_core::{Device, Result, Tensor, bail};
use candle_nn::attention::flash_attn_varlen_cpu;
use compare::larger;
use flash::{SdpaOptions, flash_attention};
use varlen::flash_attention_varlen;
use varlen::lengths::{self, BENCH_SEED};

/// The lengths of so many sequences as the row has: drawn evenly from 1 to the longest.
pub fn lengths(row: &Row) -> Result<Vec<usize>> {
    lengths::lengths(BENCH_SEED, row.batch, row.keys)
}

/// The ways to attend within each sequence, all of them dense.
pub fn ways(row: &Row, threads: &[usize]) -> Result<(Vec<Way>, Check)> {
    let parts = parts(row)?;
    let (lengths, judged) = (lengths(row)?, judged(&parts).map(|at| (at, parts[at].clone())));
    let check = move |results: &[Tensor]| {
        let error = |(at, part): &(usize, [Tensor; 3])| {
            last_queries(&[sequence(results, &lengths, *at)?], part.each_ref(), false)
        };
        judged.iter().try_fold(0., |most, part| Ok(larger(most, error(part)?)))
    };
    let mut ways = padded(&parts, row.keys, threads)?;
    let packed = packed(&parts, row, threads)?;
    let plain = SdpaOptions::default();
    ways.extend(each("kernel-one-by-one", threads, move || {
        parts.iter().map(|[q, k, v]| flash_attention(q, k, v, &plain)).collect()
    }));
    ways.extend(packed);
    Ok((ways, Box::new(check)))
}

/// q, k and v of each sequence: `(1, heads, length, dim)`.
pub fn parts(row: &Row) -> Result<Vec<[Tensor; 3]>> {
    let draw = |at: usize, length: usize| {
        let draw = |x| seeded::normal((3 * at + x) as u64, (1, row.heads, length, row.dim));
        Ok([draw(0)?, draw(1)?, draw(2)?])
    };
    lengths(row)?.into_iter().enumerate().map(|(at, length)| draw(at, length)).collect()
}

/// All of them as long as the longest, and the keys after a sequence's end hidden.
fn padded(parts: &[[Tensor; 3]], longest: usize, threads: &[usize]) -> Result<Vec<Way>> {
    let [q, k, v] = pad(parts, longest)?;
    let mut keep = vec![];
    for [_, k, _] in parts {
        let length = k.dim(2)?;
        keep.extend((0..longest).map(|at| u8::from(at < length)));
    }
    let keep = Tensor::from_vec(keep, (parts.len(), 1, 1, longest), &Device::Cpu)?;
    let options = SdpaOptions::default().keep(keep);
    Ok(each("kernel-padded", threads, move || Ok(vec![flash_attention(&q, &k, &v, &options)?])))
}

/// All tokens in one row, and where each sequence ends: ours and candle-nn's.
fn packed(parts: &[[Tensor; 3]], row: &Row, threads: &[usize]) -> Result<Vec<Way>> {
    let [q, k, v] = pack(parts)?;
    let lengths: Vec<u32> = lengths(row)?.into_iter().map(|length| length as u32).collect();
    let mut ends = vec![0];
    lengths.iter().for_each(|length| ends.push(ends[ends.len() - 1] + length));
    let ends = Tensor::new(ends.as_slice(), &Device::Cpu)?;
    let lengths = Tensor::new(lengths.as_slice(), &Device::Cpu)?;
    let (longest, scale) = (row.keys, 1. / (row.dim as f32).sqrt());
    let inputs = [q.clone(), k.clone(), v.clone()];
    let candle = most("candle-nn", threads, move || {
        let [q, k, v] = &inputs;
        let l = &lengths;
        let out =
            flash_attn_varlen_cpu(q, k, v, None, l, l, longest, longest, scale, false, None, None)?;
        Ok(vec![out])
    });
    let mut ways = vec![candle];
    ways.extend(each("varlen", threads, move || {
        let (e, n) = (&ends, longest);
        Ok(vec![flash_attention_varlen(&q, &k, &v, e, e, n, n, scale, false)?])
    }));
    Ok(ways)
}

/// q, k and v, filled up with zeros to the longest sequence: `(batch, heads, longest, dim)`.
pub fn pad(parts: &[[Tensor; 3]], longest: usize) -> Result<[Tensor; 3]> {
    join(parts, |x| x.pad_with_zeros(2, 0, longest - x.dim(2)?))
}

/// q, k and v, one sequence after the other: `(total, heads, dim)`.
pub fn pack(parts: &[[Tensor; 3]]) -> Result<[Tensor; 3]> {
    join(parts, |x| x.squeeze(0)?.transpose(0, 1))
}

fn join(parts: &[[Tensor; 3]], form: impl Fn(&Tensor) -> Result<Tensor>) -> Result<[Tensor; 3]> {
    let all = |x: usize| -> Result<Tensor> {
        let formed: Result<Vec<Tensor>> = parts.iter().map(|part| form(&part[x])).collect();
        Tensor::cat(&formed?, 0)?.contiguous()
    };
    Ok([all(0)?, all(1)?, all(2)?])
}

/// The sequences whose outputs are judged: the first, one in the middle and the last.
pub fn judged(parts: &[[Tensor; 3]]) -> [usize; 3] {
    [0, parts.len() / 2, parts.len() - 1]
}

/// The output `(1, heads, length, dim)` of the sequence at this place, out of all: one by one, packed or padded.
pub fn sequence(results: &[Tensor], lengths: &[usize], at: usize) -> Result<Tensor> {
    let ([out, ..], length) = (results, lengths[at]) else { bail!("expected a result; got none") };
    match (results.len(), out.rank()) {
        (1, 3) => {
            let start = lengths[..at].iter().sum();
            out.narrow(0, start, length)?.transpose(0, 1)?.unsqueeze(0) // of (total, heads, dim)
        }
        (1, _) => out.narrow(0, at, 1)?.narrow(2, 0, length),
        _ => Ok(results[at].clone()),
    }
}
