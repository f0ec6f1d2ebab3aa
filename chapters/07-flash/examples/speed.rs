//! `cargo run -p flash --example speed`: attention in several ways, in milliseconds.
//!
//! The ways take turns, several rounds; the table holds medians and, after ±, half the span of the middle half.
//! `--rounds N`, `--only dense` (rows whose name begins so), `--ways ours-1,ours-2`, `--json` (medians, for `bench/pytorch.py`), `--least` (the fastest runs in place of the medians: steadier on a busy machine).

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::attention::{AttnMask, flash_attn};
use flash::{Causal, Path, SdpaOptions, flash_attention, flash_attention_on, naive};
use std::time::Instant;

/// One row of the table: q `(1, heads, seq, dim)`, k and v `(1, heads_kv, seq, dim)`, f32.
struct Row {
    name: &'static str,
    heads: usize,
    heads_kv: usize,
    seq: usize,
    dim: usize,
    causal: bool,
    /// With the gradients of q, k and v.
    backward: bool,
}

const fn row(name: &'static str, heads: [usize; 2], seq: usize, dim: usize, causal: bool) -> Row {
    Row { name, heads: heads[0], heads_kv: heads[1], seq, dim, causal, backward: false }
}

const fn backward(row: Row) -> Row {
    Row { backward: true, ..row }
}

const ROWS: [Row; 20] = [
    row("dense", [8, 8], 2048, 64, false),
    row("causal", [8, 8], 2048, 64, true),
    row("dense d128", [8, 8], 2048, 128, false),
    row("causal d128", [8, 8], 2048, 128, true),
    row("dense n4096", [8, 8], 4096, 64, false),
    row("causal n4096", [8, 8], 4096, 64, true),
    row("grouped", [8, 2], 2048, 64, false),
    row("n1000", [8, 8], 1000, 64, false),
    row("n1537", [8, 8], 1537, 64, false),
    row("n16", [8, 8], 16, 64, false),
    row("n64", [8, 8], 64, 64, false),
    row("n128", [8, 8], 128, 64, false),
    row("n256", [8, 8], 256, 64, false),
    row("decode", [8, 8], 1, 64, false),
    backward(row("back dense", [8, 8], 2048, 64, false)),
    backward(row("back causal", [8, 8], 2048, 64, true)),
    backward(row("back d128", [8, 8], 2048, 128, false)),
    backward(row("back grouped", [8, 2], 2048, 64, true)),
    backward(row("back one head", [1, 1], 4096, 64, false)),
    backward(row("back n128", [8, 8], 128, 64, false)),
];
/// The keys of the row `decode`, which has one query.
const CACHED: usize = 2048;
const WAYS: [&str; 6] = ["naive", "candle-nn", "portable", "avx2", "ours-1", "ours-2"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let rounds: usize = option("--rounds").map_or(5, |text| text.parse().expect("a whole number"));
    let (only, ways) = (option("--only").unwrap_or_default(), option("--ways"));
    let wanted = |way: &&str| ways.as_ref().is_none_or(|ways| ways.split(',').any(|w| w == *way));
    let ways: Vec<&str> = WAYS.into_iter().filter(wanted).collect();
    let part = if args.iter().any(|arg| arg == "--least") { 0. } else { 0.5 };
    let json = args.iter().any(|arg| arg == "--json");
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pools =
        [pool(1).map_err(candle_core::Error::wrap)?, pool(2).map_err(candle_core::Error::wrap)?];

    if !json {
        print!("{:<14}", "ms");
        ways.iter().for_each(|way| print!("{way:>18}"));
        println!("{:>12}", "GFLOP/s");
    }
    for row in ROWS.iter().filter(|row| row.name.starts_with(&only)) {
        let mut times = vec![vec![]; ways.len()];
        for _ in 0..rounds {
            for (way, times) in ways.iter().zip(&mut times) {
                times.extend(pools[usize::from(*way != "ours-1")].install(|| measure(row, way))?);
            }
        }
        times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let at =
            |times: &[f64], part: f64| times.get((times.len() as f64 * part) as usize).copied();
        let median = |times: &[f64]| at(times, part).unwrap_or(f64::NAN);
        if json {
            let cells: Vec<_> =
                ways.iter().zip(&times).map(|(w, t)| format!("\"{w}\": {}", median(t))).collect();
            println!("{{\"row\": \"{}\", {}}}", row.name, cells.join(", "));
            continue;
        }
        print!("{:<14}", row.name);
        for times in &times {
            let span =
                (at(times, 0.75).unwrap_or_default() - at(times, 0.25).unwrap_or_default()) / 2.;
            print!("{:>11.3} ±{span:>5.2}", median(times));
        }
        let best = times.last().map_or(f64::NAN, |times| median(times));
        println!("{:>12.0}", flops(row) / best / 1e6);
    }
    Ok(())
}

fn keys(row: &Row) -> usize {
    if row.name == "decode" { CACHED } else { row.seq }
}

fn flops(row: &Row) -> f64 {
    let products = if row.backward { 2 + 5 } else { 2 }; // forward 2, backward 5
    let all = (2 * products * row.heads * row.seq * keys(row) * row.dim) as f64;
    if row.causal { all / 2. } else { all }
}

/// The milliseconds of each run within a span; once to warm up.
fn measure(row: &Row, way: &str) -> Result<Vec<f64>> {
    let q = Var::from_tensor(&seeded::normal(1, (1, row.heads, row.seq, row.dim))?)?;
    let k = Var::from_tensor(&seeded::normal(2, (1, row.heads_kv, keys(row), row.dim))?)?;
    let v = Var::from_tensor(&seeded::normal(3, (1, row.heads_kv, keys(row), row.dim))?)?;
    let vars = [q.clone(), k.clone(), v.clone()];
    let grads = |out: &Tensor| -> Result<Vec<Tensor>> {
        let grads = out.backward()?; // of the sum of all numbers
        Ok(vars.iter().filter_map(|var| grads.get(var).cloned()).collect())
    };
    let part = |x: Var| if row.backward { x.as_tensor().clone() } else { x.as_detached_tensor() };
    let (q, k, v) = (part(q), part(k), part(v));
    let mut options = SdpaOptions::default();
    if row.causal {
        options = options.causal(Causal::TopLeft);
    }
    let (last, scale) =
        (|x: &Tensor| x.transpose(1, 2)?.contiguous(), 1. / (row.dim as f32).sqrt());
    let [q_last, k_last, v_last] = [last(&q)?, last(&k)?, last(&v)?]; // (batch, seq, heads, dim)
    // A mask made once, as a model does: candle-only attention as in the tutorials.
    let hidden = row.causal.then(|| -> Result<Tensor> {
        let hidden: Vec<f32> = (0..row.seq * row.seq)
            .map(|at| if at % row.seq > at / row.seq { f32::NEG_INFINITY } else { 0. })
            .collect();
        Tensor::from_vec(hidden, (row.seq, row.seq), &Device::Cpu)
    });
    let hidden = hidden.transpose()?;
    let plain = || -> Result<Tensor> {
        let group = row.heads / row.heads_kv;
        let repeat = |x: &Tensor| match group {
            1 => Ok(x.clone()),
            _ => Tensor::cat(&vec![x; group], 2)?.reshape((1, row.heads, keys(row), row.dim)),
        };
        let mut scores = (q.matmul(&repeat(&k)?.t()?)? * f64::from(scale))?;
        if let Some(hidden) = &hidden {
            scores = scores.broadcast_add(hidden)?;
        }
        candle_nn::ops::softmax_last_dim(&scores)?.matmul(&repeat(&v)?)
    };
    let candle = || {
        let mask = if row.causal { AttnMask::causal() } else { AttnMask::None };
        flash_attn::<f32>(&q_last, &k_last, &v_last, scale, mask, None, None)
    };
    let run = || match way {
        "naive" => plain(),
        "candle-nn" => candle(),
        "avx2" => Ok(flash_attention_on(Path::Avx2, &q, &k, &v, &options)?.0),
        "portable" => Ok(flash_attention_on(Path::Portable, &q, &k, &v, &options)?.0),
        _ => flash_attention(&q, &k, &v, &options),
    };
    if row.backward && way == "candle-nn" {
        return Ok(vec![f64::NAN]); // it has no gradient
    }
    // What is measured must be right.
    let expected = naive::attention(&q, &k, &v, &options)?;
    let mut pairs = vec![(run()?, expected.clone())];
    if row.backward {
        pairs = grads(&run()?)?.into_iter().zip(grads(&expected)?).collect();
        assert_eq!(pairs.len(), 3);
    }
    for (got, expected) in pairs {
        let largest = |x: &Tensor| x.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>();
        let error = largest(&(got - &expected)?)? / largest(&expected)?.max(1.);
        assert!(error < 1e-4, "{way}, {}: off by {error}", row.name);
    }
    let (start, mut times) = (Instant::now(), vec![]);
    while times.len() < 3 || (start.elapsed().as_secs_f64() < 0.25 && times.len() < 2000) {
        let start = Instant::now();
        let out = run()?;
        if row.backward {
            grads(&out)?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
