//! Sequences of different lengths: how long they are, and the ways to attend within each.

use options::bench::rows::Row;
use crate::ways::{Check, Way, each, last_queries, most};
use candle_core::{Device, Result, Tensor};
use candle_nn::attention::flash_attn_varlen_cpu;
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
    let first = parts[0].clone();
    let check = move |results: &[Tensor]| {
        let [q, k, v] = &first;
        let out = of_first(&results[0], q.dim(2)?)?;
        last_queries(&[out], [q, k, v], false)
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
    let pad = |x: usize| -> Result<Tensor> {
        let pad = |part: &[Tensor; 3]| part[x].pad_with_zeros(2, 0, longest - part[x].dim(2)?);
        Tensor::cat(&parts.iter().map(pad).collect::<Result<Vec<_>>>()?, 0)
    };
    let [q, k, v] = [pad(0)?, pad(1)?, pad(2)?]; // (batch, heads, longest, dim)
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
    let pack = |x: usize| -> Result<Tensor> {
        let tokens = |part: &[Tensor; 3]| part[x].squeeze(0)?.transpose(0, 1);
        Tensor::cat(&parts.iter().map(tokens).collect::<Result<Vec<_>>>()?, 0)?.contiguous()
    };
    let [q, k, v] = [pack(0)?, pack(1)?, pack(2)?]; // (total, heads, dim)
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

/// The first sequence's output `(1, heads, length, dim)` out of all, padded, packed or one by one.
fn of_first(out: &Tensor, length: usize) -> Result<Tensor> {
    match out.rank() {
        3 => out.narrow(0, 0, length)?.transpose(0, 1)?.unsqueeze(0), // of (total, heads, dim)
        _ => out.narrow(0, 0, 1)?.narrow(2, 0, length),
    }
}
