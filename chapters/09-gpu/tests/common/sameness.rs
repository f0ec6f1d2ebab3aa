//! What must not change the result: another run, other sequences beside, other places in memory.

use super::{
    Twin,
    accuracy::{HALVES, RAGGED, run, scale_of},
    inputs::{Packed, dense},
    judge::{close, same_bits, unit},
};
use candle_core::{DType, Device, Result, Tensor};
use compare::largest_error;
use gpu::Attend;

pub fn runs_are_equal(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&RAGGED, [4, 2], head_dim);
    for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let inputs = batch.inputs(7, dtype, &twin.device)?;
        let [q, k, v] = dense(8, 2, [4, 2], (200, 300), head_dim, (dtype, &twin.device))?;
        let packed = || run(&twin.cuda, &batch, &inputs, scale_of(head_dim), causal);
        let padded = || twin.cuda.dense(&q, &k, &v, scale_of(head_dim), causal);
        let (first, other) = (packed()?, padded()?);
        for again in 0..3 {
            same_bits(&format!("packed, {dtype:?}, run {again}"), &packed()?, &first)?;
            same_bits(&format!("dense, {dtype:?}, run {again}"), &padded()?, &other)?;
        }
    }
    Ok(())
}

pub fn tokens_alone(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(1, 1); 9], [2, 2], head_dim);
    for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let inputs = batch.inputs(6, dtype, &twin.device)?;
        let out = run(&twin.cuda, &batch, &inputs, scale_of(head_dim), causal)?;
        same_bits(&format!("{dtype:?}, causal {causal}"), &out, &inputs[2])?;
    }
    Ok(())
}

/// Weights are rounded once before they meet the values, and results once: by at most a unit of the largest value
/// each, on both sides.
pub fn packed_equals_dense(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&RAGGED, [4, 2], head_dim);
    for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let inputs = batch.inputs(9, dtype, &twin.device)?;
        let out = run(&twin.cuda, &batch, &inputs, scale_of(head_dim), causal)?;
        let largest = largest_error(&inputs[2], &inputs[2].zeros_like()?)?;
        for (at, (queries, _)) in RAGGED.into_iter().enumerate().filter(|(_, (q, _))| *q > 0) {
            let [q, k, v] = batch.one(&inputs, at)?;
            let alone = twin.cuda.dense(&q, &k, &v, scale_of(head_dim), causal)?;
            let alone = alone.squeeze(0)?.transpose(0, 1)?;
            let packed = out.narrow(0, batch.start(at).0, queries)?;
            let case = format!("{dtype:?}, causal {causal}, sequence {at}");
            close(&case, &packed, &alone, 4. * unit(dtype) * largest)?;
        }
    }
    Ok(())
}

pub fn said_too_large(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&RAGGED, [2, 1], head_dim);
    let inputs = batch.inputs(10, DType::F16, &twin.device)?;
    let expected = run(&twin.cuda, &batch, &inputs, 0.1, true)?;
    let ([q, k, v], [max_q, max_k]) = (&inputs, batch.longest());
    for device in [&Device::Cpu, &twin.device] {
        let [cu_q, cu_k] = batch.cu_seqlens(device)?;
        // In a column of something larger: with strides.
        let column = Tensor::stack(&[&cu_k, &cu_q], 1)?.narrow(1, 1, 1)?.squeeze(1)?;
        for more in [0, 1, 1000, usize::MAX - 200] {
            let (max_q, max_k) = (max_q.saturating_add(more), max_k.saturating_add(more));
            let out = twin.cuda.varlen(q, k, v, &column, &cu_k, max_q, max_k, 0.1, true)?;
            same_bits(&format!("{more} more"), &out, &expected)?;
        }
    }
    Ok(())
}

/// The same numbers elsewhere: heads first, columns first, part of a row, from an odd place on, rows of an odd length
/// in two ways, part of the rows, and every second row.
const WAYS: [fn(&Tensor) -> Result<Tensor>; 8] = [
    |x| x.transpose(0, 1)?.contiguous()?.transpose(0, 1),
    |x| x.transpose(1, 2)?.contiguous()?.transpose(1, 2),
    |x| Tensor::cat(&[x, x, x], 2)?.narrow(2, x.dim(2)?, x.dim(2)?),
    |x| {
        let flat = x.flatten_all()?;
        let more = Tensor::cat(&[&flat.narrow(0, 0, 3)?, &flat], 0)?;
        more.narrow(0, 3, flat.elem_count())?.reshape(x.shape())
    },
    |x| x.pad_with_zeros(2, 1, 2)?.narrow(2, 1, x.dim(2)?),
    |x| x.pad_with_zeros(2, 0, 3)?.narrow(2, 0, x.dim(2)?),
    |x| Tensor::cat(&[x, x], 0)?.narrow(0, x.dim(0)?, x.dim(0)?),
    |x| Tensor::stack(&[x, x], 1)?.narrow(1, 1, 1)?.squeeze(1),
];

pub fn strides(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(20, 30), (0, 4), (1, 1), (70, 65), (3, 0)], [4, 2], head_dim);
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let [q, k, v] = batch.inputs(13, dtype, &twin.device)?;
        let views = |inputs: [&Tensor; 3], turn: usize| -> Result<[Tensor; 3]> {
            let [q, k, v] = [0, 1, 2].map(|at| WAYS[(turn + at) % WAYS.len()](inputs[at]));
            Ok([q?, k?, v?])
        };
        let expected = run(&twin.cuda, &batch, &[q.clone(), k.clone(), v.clone()], 0.1, true)?;
        let dense = |[q, k, v]: [Tensor; 3]| {
            let [q, k, v] = [q.unsqueeze(0)?, k.unsqueeze(0)?, v.unsqueeze(0)?];
            twin.cuda.dense(&q, &k, &v, 0.1, false) // tokens as heads
        };
        let square = q.narrow(0, 0, 20)?;
        let alone = dense([square.clone(), square.clone(), square.clone()])?;
        for turn in 0..WAYS.len() {
            let out = run(&twin.cuda, &batch, &views([&q, &k, &v], turn)?, 0.1, true)?;
            same_bits(&format!("packed, {dtype:?}, view {turn}"), &out, &expected)?;
            let out = dense(views([&square; 3], turn)?)?;
            same_bits(&format!("dense, {dtype:?}, view {turn}"), &out, &alone)?;
        }
        // One row for all tokens: a stride of 0.
        let row = k.narrow(0, 7, 1)?;
        let all = [q.clone(), row.broadcast_as(k.shape())?, row.broadcast_as(v.shape())?];
        let plain = [q, all[1].contiguous()?, all[2].contiguous()?];
        let expected = run(&twin.cuda, &batch, &plain, 0.1, true)?;
        same_bits("one row for all", &run(&twin.cuda, &batch, &all, 0.1, true)?, &expected)?;
    }
    Ok(())
}
