//! `cargo run -p varlen --example ragged`: a batch of 32 sequences, mean 928 tokens, packed, one by one, and padded
//! with a mask, in milliseconds: the fastest of several rounds in turn.
//!
//! `--rounds N`, `--causal`, `--only packed` (ways whose names begin so), `--lengths` (prints them and does no more).

use candle_core::{Device, Result, Tensor};
use flash::ragged::{self, Ragged};
use flash::{Causal, SdpaOptions, flash_attention};
use std::time::Instant;
use varlen::lengths::{BENCH_SEED, lengths};

const HEADS: usize = 8;
const DIM: usize = 64;
const WAYS: [&str; 3] = ["packed", "one by one", "padded with a mask"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let option = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let rounds: usize = option("--rounds").map_or(5, |text| text.parse().expect("a whole number"));
    let only = option("--only").unwrap_or_default();
    let lens = lengths(BENCH_SEED, 32, 1894)?;
    if has("--lengths") {
        println!("{lens:?}");
        return Ok(());
    }
    let (total, longest) = (lens.iter().sum::<usize>(), lens.iter().copied().max().unwrap_or(0));
    let [q, k, v] = [1, 2, 3].map(|seed| seeded::normal(seed, (total, HEADS, DIM)));
    let (q, k, v) = (q?, k?, v?);
    let ends = lens.iter().scan(0, |end, len| {
        *end += *len as u32;
        Some(*end)
    });
    let ends: Vec<u32> = std::iter::once(0).chain(ends).collect();
    let cu_seqlens = Tensor::new(ends.as_slice(), &Device::Cpu)?;
    let sequences = Ragged::new(&cu_seqlens, &cu_seqlens)?;
    let mut options = SdpaOptions::default();
    if has("--causal") {
        options = options.causal(Causal::BottomRight);
    }

    // (1, heads, seq, dim) of each sequence, and (batch, heads, longest, dim) of all
    let one = |x: &Tensor, at: usize| {
        x.narrow(0, ends[at] as usize, lens[at])?.transpose(0, 1)?.contiguous()?.unsqueeze(0)
    };
    let pad = |x: &Tensor| -> Result<Tensor> {
        let rows = (0..lens.len()).map(|at| one(x, at)?.pad_with_zeros(2, 0, longest - lens[at]));
        Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)
    };
    let keep: Vec<u8> =
        lens.iter().flat_map(|len| (0..longest).map(move |key| u8::from(key < *len))).collect();
    let keep = Tensor::from_vec(keep, (lens.len(), 1, 1, longest), &Device::Cpu)?;
    let apart: Vec<[Tensor; 3]> = (0..lens.len())
        .map(|at| Ok([one(&q, at)?, one(&k, at)?, one(&v, at)?]))
        .collect::<Result<_>>()?;
    let padded = [pad(&q)?, pad(&k)?, pad(&v)?];
    let masked = options.clone().keep(keep);

    let run = |way: usize| -> Result<()> {
        match way {
            0 => drop(ragged::attention(&q, &k, &v, &sequences, &options)?),
            1 => {
                for [q, k, v] in &apart {
                    flash_attention(q, k, v, &options)?;
                }
            }
            _ => drop(flash_attention(&padded[0], &padded[1], &padded[2], &masked)?),
        }
        Ok(())
    };
    let mut best = [f64::INFINITY; 3];
    for _ in 0..rounds {
        for (way, best) in best.iter_mut().enumerate() {
            if !WAYS[way].starts_with(&only) {
                continue;
            }
            let start = Instant::now();
            run(way)?;
            *best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("{total} tokens, longest {longest}");
    for (name, ms) in WAYS.iter().zip(best) {
        println!("{name:<20}{ms:>10.1} ms");
    }
    Ok(())
}
