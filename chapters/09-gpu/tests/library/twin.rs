//! The GPU twin in front of the stand-in: that the stand-in is strict, and what is adapted for it.

use crate::{
    common::{
        inputs::{Packed, dense, reference},
        judge::accurate,
    },
    strict::{api, calls, fault},
};
use candle_core::{DType, Device, Result, Tensor};
use gpu::{Attend, Cpu, Cuda, Naive};

const API: gpu::api::Api = api::<{ fault::NONE }>();

fn twin() -> Cuda {
    Cuda::with(&Device::Cpu, API)
}

#[track_caller]
fn says(result: Result<Tensor>, part: &str) {
    let error = result.expect_err(part).to_string();
    let error = error.lines().next().unwrap_or_default(); // without a backtrace
    assert!(error.contains(part), "{error:?} lacks {part:?}");
}

/// What candle-flash-attn refuses, the stand-in refuses too: else the tests behind it prove little.
#[test]
fn the_stand_in_is_strict() -> Result<()> {
    let x = |shape: &[usize]| Tensor::zeros(shape, DType::F16, &Device::Cpu);
    let good = x(&[2, 3, 4, 8])?;
    let run = |q: &Tensor, k: &Tensor, v: &Tensor| (API.dense)(q, k, v, 1., false);
    assert!(run(&good, &good, &good).is_ok());
    for (bad, part) in [
        (good.to_dtype(DType::F32)?, "only supported for f16/bf16"),
        (x(&[3, 4, 8])?, "rank 4"),
        (x(&[2, 3, 8, 4])?.t()?, "last dim of q must be contiguous"),
        (x(&[2, 3, 4, 12])?, "multiple of 8"),
        (x(&[2, 3, 4, 520])?, "at most 512"),
        (x(&[2, 3, 4, 20])?.narrow(3, 0, 8)?, "misaligned"),
        (x(&[2, 3, 4, 16])?.narrow(3, 4, 8)?, "misaligned"),
        (x(&[2, 0, 4, 8])?, "empty"),
    ] {
        says(run(&bad, &bad, &bad), part);
    }
    says(run(&good, &good.to_dtype(DType::BF16)?, &good), "dtype");
    says(run(&good, &x(&[1, 3, 4, 8])?, &x(&[1, 3, 4, 8])?), "q [2, 3, 4, 8] and k");
    says(run(&good, &good, &x(&[2, 2, 4, 8])?), "and v");
    says(run(&good, &x(&[2, 3, 3, 8])?, &x(&[2, 3, 3, 8])?), "must divide");

    let x = x(&[5, 2, 8])?;
    let ends = |ends: &[u32]| Tensor::new(ends, &Device::Cpu);
    let run = |q: &Tensor, k: &Tensor, max| (API.varlen)(&x, &x, &x, q, k, max, 5, 1., false);
    let good = ends(&[0, 2, 5])?;
    assert!(run(&good, &good, 3).is_ok());
    says(run(&good.to_dtype(DType::I64)?, &good, 3), "dtype");
    says(run(&good, &ends(&[0, 5])?, 3), "same number of elements 3 <> 2");
    says(run(&ends(&[0])?, &ends(&[0])?, 3), "len >= 2");
    says(
        run(&good, &Tensor::stack(&[&good, &good], 1)?.narrow(1, 0, 1)?.squeeze(1)?, 3),
        "contiguous",
    );
    says(run(&good, &ends(&[0, 2, 6])?, 3), "illegal memory access");
    says(run(&good, &good, usize::MAX), "overflow");
    // What it does not refuse: a maximum that is too small leaves queries unwritten.
    let out = run(&good, &good, 2)?.to_dtype(DType::F32)?.narrow(0, 4, 1)?.flatten_all()?;
    assert!(out.to_vec1::<f32>()?.iter().all(|x| x.is_nan()));
    Ok(())
}

/// Any head dim, any type: as accurate as naive attention in the half-precision type, and so is the CPU's twin.
#[test]
fn twins_agree() -> Result<()> {
    for head_dim in [1, 7, 8, 20, 64, 72] {
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let half = if dtype == DType::BF16 { dtype } else { DType::F16 };
            for (heads, causal) in [([4, 2], true), ([3, 3], false)] {
                let case = format!("head dim {head_dim}, {dtype:?}, {heads:?}");
                let on = (dtype, &Device::Cpu);
                let inputs = dense(head_dim as u64, 2, heads, (70, 50), head_dim, on)?;
                let [q, k, v] = &inputs;
                let [a, b, c] = [q, k, v].map(|x| x.to_dtype(half));
                let naive = Naive.dense(&a?, &b?, &c?, 0.3, causal)?;
                let expected = reference(&inputs, 0.3, causal)?;
                for (who, attend) in [("cuda", &twin() as &dyn Attend), ("cpu", &Cpu)] {
                    let out = attend.dense(q, k, v, 0.3, causal)?;
                    accurate(&format!("{who}, {case}"), &out, dtype, &naive, &expected)?;
                }
                let batch = Packed::new(&[(70, 50), (0, 3), (9, 0), (1, 1)], heads, head_dim);
                let (inputs, [cu_q, cu_k]) =
                    (batch.inputs(8, dtype, &Device::Cpu)?, batch.cu_seqlens(&Device::Cpu)?);
                let [q, k, v] = &inputs;
                let [a, b, c] = [q, k, v].map(|x| x.to_dtype(half));
                let naive = Naive.varlen(&a?, &b?, &c?, &cu_q, &cu_k, 70, 50, 0.3, causal)?;
                let expected = batch.reference(&inputs, 0.3, causal)?;
                for (who, attend) in [("cuda", &twin() as &dyn Attend), ("cpu", &Cpu)] {
                    let out = attend.varlen(q, k, v, &cu_q, &cu_k, 70, 50, 0.3, causal)?;
                    accurate(&format!("{who}, packed, {case}"), &out, dtype, &naive, &expected)?;
                }
            }
        }
    }
    Ok(())
}

/// One launch a call, and none when there is nothing to compute.
#[test]
fn one_launch_a_call() -> Result<()> {
    let launches = |batch: &Packed| -> Result<usize> {
        let ([q, k, v], [cu_q, cu_k]) =
            (batch.inputs(8, DType::F16, &Device::Cpu)?, batch.cu_seqlens(&Device::Cpu)?);
        let before = calls();
        twin().varlen(&q, &k, &v, &cu_q, &cu_k, 9, 9, 0.3, true)?;
        Ok(calls() - before)
    };
    assert_eq!(launches(&Packed::new(&[(3, 4), (0, 2), (5, 0)], [4, 2], 20))?, 1);
    assert_eq!(launches(&Packed::new(&[(0, 4), (0, 2)], [4, 2], 20))?, 0);
    assert_eq!(launches(&Packed::new(&[(3, 0), (4, 0)], [4, 2], 20))?, 0);
    assert_eq!(launches(&Packed::new(&[(3, 4)], [0, 0], 20))?, 0);
    assert_eq!(launches(&Packed::new(&[(3, 4)], [4, 2], 0))?, 0);
    Ok(())
}

/// Views that the kernel can read are handed on as they are; only what it can't read is copied.
#[test]
fn no_copy_without_need() -> Result<()> {
    thread_local! {
        static SEEN: std::cell::RefCell<Vec<Vec<usize>>> = const { std::cell::RefCell::new(vec![]) };
    }
    let mut api = API;
    api.dense = |q, k, v, scale, causal| {
        SEEN.with_borrow_mut(|seen| seen.extend([q, k, v].map(|x| x.stride().to_vec())));
        (API.dense)(q, k, v, scale, causal)
    };
    let qkv = seeded::normal(1, (2, 9, 8, 16))?.to_dtype(DType::F16)?; // 4 + 2 + 2 heads
    let part = |from, heads| qkv.narrow(2, from, heads)?.transpose(1, 2);
    let (q, k, v) = (part(0, 4)?, part(4, 2)?, part(6, 2)?);
    Cuda::with(&Device::Cpu, api).dense(&q, &k, &v, 0.25, true)?;
    let of_qkv = qkv.stride().to_vec();
    assert_eq!(SEEN.take(), [of_qkv.clone(), of_qkv.clone(), of_qkv]);
    Ok(())
}
