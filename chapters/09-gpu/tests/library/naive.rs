//! Attention in candle's operations: its meaning, its types and its gradients.

use crate::common::{
    inputs::{Packed, dense, reference},
    judge::close,
};
use candle_core::{DType, Device, Result, Tensor, Var};
use compare::largest_error;
use gpu::{Attend, Cpu, Naive};

const LENGTHS: [(usize, usize); 6] = [(1, 1), (5, 9), (9, 5), (40, 40), (1, 70), (65, 3)];

#[test]
fn it_means_what_week_7_means() -> Result<()> {
    for (dtype, allowed) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
        for (at, lengths) in LENGTHS.into_iter().enumerate() {
            for (heads, causal) in [([4, 4], false), ([4, 2], true), ([3, 1], true)] {
                let inputs = dense(at as u64, 2, heads, lengths, 12, (dtype, &Device::Cpu))?;
                let [q, k, v] = &inputs;
                let out = Naive.dense(q, k, v, -0.4, causal)?;
                assert_eq!(out.dtype(), dtype);
                let case = format!("{dtype:?}, {lengths:?}, {heads:?}, causal {causal}");
                close(&case, &out, &reference(&inputs, -0.4, causal)?, allowed)?;
            }
            let batch = Packed::new(&LENGTHS, [4, 2], 12);
            let inputs = batch.inputs(at as u64, dtype, &Device::Cpu)?;
            let ([q, k, v], [cu_q, cu_k]) = (&inputs, batch.cu_seqlens(&Device::Cpu)?);
            let out = Naive.varlen(q, k, v, &cu_q, &cu_k, 65, 70, 0.3, true)?;
            close("packed", &out, &batch.reference(&inputs, 0.3, true)?, allowed)?;
        }
    }
    Ok(())
}

#[test]
fn queries_before_all_keys_get_zeros() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let [q, k, v] = dense(1, 1, [2, 2], (5, 3), 8, (dtype, &Device::Cpu))?;
        for (name, attend) in [("naive", &Naive as &dyn Attend), ("cpu", &Cpu)] {
            let out = attend.dense(&q, &k, &v, 0.3, true)?;
            close(
                name,
                &out.narrow(2, 0, 2)?,
                &Tensor::zeros((1, 2, 2, 8), dtype, &Device::Cpu)?,
                0.,
            )?;
            close(name, &out.narrow(2, 2, 1)?, &v.narrow(2, 0, 1)?, 0.)?; // sees the first key alone
        }
    }
    Ok(())
}

/// Half precision stays what it is: the error is that of its type, neither f32's nor more.
#[test]
fn half_precision_stays_half_precision() -> Result<()> {
    for (dtype, from, to) in [(DType::F16, 1e-5, 1e-2), (DType::BF16, 1e-4, 1e-1)] {
        let inputs = dense(2, 2, [4, 2], (60, 90), 32, (dtype, &Device::Cpu))?;
        let [q, k, v] = &inputs;
        let out = Naive.dense(q, k, v, 0.2, true)?;
        assert_eq!(out.dtype(), dtype);
        let error = largest_error(&out, &reference(&inputs, 0.2, true)?)?;
        assert!((from..to).contains(&error), "{dtype:?}: {error}");
    }
    Ok(())
}

/// The gradients of Σ out · upstream.
fn gradients(
    inputs: &[Tensor; 3],
    upstream: &Tensor,
    attention: impl Fn([&Tensor; 3]) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let out = attention([&vars[0], &vars[1], &vars[2]])?;
    let grads = (out * upstream)?.sum_all()?.backward()?;
    let of = |var: &Var| grads.get(var).cloned().expect("a gradient");
    Ok(vars.iter().map(of).collect())
}

#[test]
fn gradients_reach_q_k_and_v() -> Result<()> {
    for lengths in [(5, 9), (9, 5), (1, 4)] {
        let inputs = dense(3, 2, [4, 2], lengths, 6, (DType::F64, &Device::Cpu))?;
        let upstream = seeded::normal(9, inputs[0].shape())?.to_dtype(DType::F64)?;
        let by = |attend: &dyn Attend| {
            gradients(&inputs, &upstream, |[q, k, v]| attend.dense(q, k, v, 0.5, true))
        };
        for (got, expected) in by(&Naive)?.iter().zip(by(&Cpu)?) {
            close(&format!("{lengths:?}"), got, &expected, 1e-12)?;
            assert!(largest_error(got, &got.zeros_like()?)? > 0.01, "{lengths:?}");
        }
    }
    let batch = Packed::new(&[(5, 9), (0, 2), (3, 0), (9, 5)], [4, 2], 6);
    let (inputs, [cu_q, cu_k]) =
        (batch.inputs(4, DType::F64, &Device::Cpu)?, batch.cu_seqlens(&Device::Cpu)?);
    let upstream = seeded::normal(9, inputs[0].shape())?.to_dtype(DType::F64)?;
    let by = |attend: &dyn Attend| {
        gradients(&inputs, &upstream, |[q, k, v]| {
            attend.varlen(q, k, v, &cu_q, &cu_k, 9, 9, 0.5, true)
        })
    };
    for (got, expected) in by(&Naive)?.iter().zip(by(&Cpu)?) {
        close("packed", got, &expected, 1e-12)?;
    }
    Ok(())
}

/// By differences, not by another program's rules.
#[test]
fn gradients_are_slopes() -> Result<()> {
    let inputs = dense(5, 1, [2, 1], (3, 4), 3, (DType::F64, &Device::Cpu))?;
    let upstream = seeded::normal(9, inputs[0].shape())?.to_dtype(DType::F64)?;
    let attention = |x: [&Tensor; 3]| Naive.dense(x[0], x[1], x[2], 0.7, true);
    let loss = |inputs: &[Tensor; 3]| {
        (attention(inputs.each_ref())? * &upstream)?.sum_all()?.to_scalar::<f64>()
    };
    for (which, grad) in gradients(&inputs, &upstream, attention)?.iter().enumerate() {
        let numbers = inputs[which].flatten_all()?.to_vec1::<f64>()?;
        for (at, slope) in grad.flatten_all()?.to_vec1::<f64>()?.into_iter().enumerate() {
            let moved = |by: f64| {
                let (mut numbers, mut inputs) = (numbers.clone(), inputs.clone());
                numbers[at] += by;
                inputs[which] = Tensor::from_vec(numbers, inputs[which].shape(), &Device::Cpu)?;
                loss(&inputs)
            };
            let difference = (moved(1e-5)? - moved(-1e-5)?) / 2e-5;
            assert!((difference - slope).abs() < 1e-8, "{which}, {at}: {slope}, {difference}");
        }
    }
    Ok(())
}
