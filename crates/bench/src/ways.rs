//! The ways to compute a row.

use crate::off::{last_queries, relative};
use crate::ragged;
use crate::rows::{Case, Row};
use crate::way::{Check, Way, Work, each, most};
use candle_core::{DType, Error, Result, Tensor, Var};
use candle_nn::attention::{AttnMask, flash_attn};
use compare::larger;
use flash::{Causal, Path, SdpaOptions, flash_attention, flash_attention_on, naive, rungs};
use std::sync::Arc;

/// The kernel, held to AVX2 where the processor has better.
pub const AVX2: &str = "kernel-avx2";

/// The ways of a row, PyTorch's when asked for, and what says whether a result is right.
pub fn of(row: &Row, threads: &[usize], torch: bool) -> Result<(Vec<Way>, Check)> {
    let (mut ways, check) = match row.case {
        Case::Dense | Case::Causal => attention(row, threads)?,
        Case::Backward | Case::BackwardCausal => backward(row, threads)?,
        Case::Ragged | Case::RaggedCausal => ragged::ways(row, threads)?,
        Case::Matmul => product(row, threads)?,
    };
    if torch {
        let names: &[_] = match row.case {
            Case::Ragged => &[("torch-padded", "padded"), ("torch-one-by-one", "one-by-one")],
            _ => &[("torch", "whole")],
        };
        for (name, way) in names {
            let way = |threads| Way { name, threads, work: Work::Torch(way) };
            ways.extend(threads.iter().copied().map(way));
        }
    }
    Ok((ways, check))
}

/// q, k and v of a row, f32 on the CPU.
pub fn inputs(row: &Row) -> Result<[Tensor; 3]> {
    let Row { batch, heads, heads_kv, queries, keys, dim, .. } = *row;
    Ok([
        seeded::normal(1, (batch, heads, queries, dim))?,
        seeded::normal(2, (batch, heads_kv, keys, dim))?,
        seeded::normal(3, (batch, heads_kv, keys, dim))?,
    ])
}

fn options(causal: bool) -> SdpaOptions {
    let plain = SdpaOptions::default();
    if causal { plain.causal(Causal::TopLeft) } else { plain }
}

fn attention(row: &Row, threads: &[usize]) -> Result<(Vec<Way>, Check)> {
    let ([q, k, v], causal) = (inputs(row)?, row.case.causal());
    let mut ways = vec![];
    for (name, rung) in rungs::ALL {
        let [q, k, v] = [q.clone(), k.clone(), v.clone()];
        let work = move || Ok(vec![rung(&q, &k, &v, causal)?]);
        match name {
            "kernel" => ways.extend(each(name, threads, work)),
            _ if row.huge() => {}
            _ => ways.push(most(name, threads, work)),
        }
    }
    if !row.huge() {
        ways.insert(1, candle(row, [&q, &k, &v], threads)?);
        if Path::detect()? == Path::Avx512 {
            let [q, k, v] = [q.clone(), k.clone(), v.clone()];
            let work =
                move || Ok(vec![flash_attention_on(Path::Avx2, &q, &k, &v, &options(causal))?.0]);
            ways.insert(ways.len() - threads.len(), most(AVX2, threads, work));
        }
    }
    Ok((ways, Box::new(move |results| last_queries(results, [&q, &k, &v], causal))))
}

/// candle-nn's attention without a matrix of scores, with the inputs as it wants them.
fn candle(row: &Row, inputs: [&Tensor; 3], threads: &[usize]) -> Result<Way> {
    let [q, k, v] = inputs.map(|x| x.transpose(1, 2)?.contiguous()); // (batch, seq, heads, dim)
    let ([q, k, v], causal) = ([q?, k?, v?], row.case.causal());
    let scale = 1. / (row.dim as f32).sqrt();
    Ok(most("candle-nn", threads, move || {
        let mask = if causal { AttnMask::causal() } else { AttnMask::None };
        Ok(vec![flash_attn::<f32>(&q, &k, &v, scale, mask, None, None)?])
    }))
}

fn backward(row: &Row, threads: &[usize]) -> Result<(Vec<Way>, Check)> {
    let ([q, k, v], causal) = (inputs(row)?, row.case.causal());
    let vars = [Var::from_tensor(&q)?, Var::from_tensor(&k)?, Var::from_tensor(&v)?];
    // Of the sum of all outputs.
    let gradients = move |attention: Attention| {
        let [q, k, v] = &vars;
        let out = attention(q, k, v, &options(causal))?;
        let grads = out.backward()?;
        let grad = |var: &Var| {
            grads.get(var).cloned().ok_or_else(|| Error::msg("an input got no gradient"))
        };
        Ok(vec![out.detach(), grad(q)?, grad(k)?, grad(v)?])
    };
    let gradients = Arc::new(gradients);
    let (with_naive, with_kernel, check) = (gradients.clone(), gradients.clone(), gradients);
    let mut ways = vec![most("naive", threads, move || with_naive(naive::attention))];
    ways.extend(each("kernel", threads, move || with_kernel(flash_attention)));
    let check = move |results: &[Tensor]| {
        let expected = check(naive::attention)?;
        let errors: Result<Vec<_>> =
            results.iter().zip(&expected).map(|(got, expected)| relative(got, expected)).collect();
        Ok(errors?.into_iter().fold(0., larger))
    };
    Ok((ways, Box::new(check)))
}

type Attention = fn(&Tensor, &Tensor, &Tensor, &SdpaOptions) -> Result<Tensor>;

fn product(row: &Row, threads: &[usize]) -> Result<(Vec<Way>, Check)> {
    let a = seeded::normal(1, (row.queries, row.dim))?;
    let b = seeded::normal(2, (row.dim, row.keys))?;
    let few = (a.narrow(0, 0, 4)?, b.clone());
    let ways = each("candle", threads, move || Ok(vec![a.matmul(&b)?]));
    let check = move |results: &[Tensor]| {
        let (a, b) = (few.0.to_dtype(DType::F64)?, few.1.to_dtype(DType::F64)?);
        let expected = a.unsqueeze(2)?.broadcast_mul(&b.unsqueeze(0)?)?.sum(1)?;
        relative(&results[0].narrow(0, 0, 4)?.to_dtype(DType::F64)?, &expected)
    };
    Ok((ways, Box::new(check)))
}
