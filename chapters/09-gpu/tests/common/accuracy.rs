//! At most twice the error of naive attention in the same type, everywhere.

use super::{
    Twin,
    inputs::{Heads, Packed, dense, reference},
    judge::{accurate, close, refused},
};
use candle_core::{DType, Device, Result, Tensor, bail};
use gpu::{Attend, Naive};

pub const HALVES: [DType; 2] = [DType::F16, DType::BF16];
pub const HEADS: [Heads; 3] = [[2, 2], [8, 2], [6, 1]];

/// Lengths around the sizes of the kernel's blocks, 64 and 128; more queries than keys, and fewer.
const DENSE: [(usize, usize); 10] = [
    (1, 1),
    (1, 129),
    (2, 3),
    (63, 65),
    (64, 64),
    (65, 63),
    (127, 128),
    (129, 127),
    (130, 200),
    (200, 64),
];
pub const RAGGED: [(usize, usize); 13] = [
    (63, 63),
    (1, 1),
    (0, 5),
    (64, 65),
    (5, 0),
    (129, 127),
    (1, 200),
    (0, 0),
    (1, 1),
    (200, 1),
    (128, 64),
    (7, 130),
    (2, 2),
];

pub fn scale_of(head_dim: usize) -> f32 {
    1. / (head_dim as f32).sqrt()
}

/// A packed batch by `attend`.
pub fn run(
    attend: &dyn Attend,
    batch: &Packed,
    [q, k, v]: &[Tensor; 3],
    scale: f32,
    causal: bool,
) -> Result<Tensor> {
    let ([cu_q, cu_k], [max_q, max_k]) = (batch.cu_seqlens(q.device())?, batch.longest());
    attend.varlen(q, k, v, &cu_q, &cu_k, max_q, max_k, scale, causal)
}

/// Errors unless a packed batch is as accurate as naive attention.
fn packed_is_accurate(
    twin: &Twin,
    case: &str,
    batch: &Packed,
    inputs: &[Tensor; 3],
    (scale, causal): (f32, bool),
) -> Result<()> {
    let out = run(&twin.cuda, batch, inputs, scale, causal)?;
    let naive = run(&Naive, batch, inputs, scale, causal)?;
    let reference = batch.reference(inputs, scale, causal)?;
    accurate(case, &out, inputs[0].dtype(), &naive, &reference)
}

/// Errors unless a dense batch is as accurate as naive attention.
fn dense_is_accurate(
    twin: &Twin,
    case: &str,
    inputs: &[Tensor; 3],
    (scale, causal): (f32, bool),
) -> Result<()> {
    let [q, k, v] = inputs;
    let out = twin.cuda.dense(q, k, v, scale, causal)?;
    let naive = Naive.dense(q, k, v, scale, causal)?;
    accurate(case, &out, q.dtype(), &naive, &reference(inputs, scale, causal)?)
}

/// The grid's dense batches, of one type and head dim.
pub fn dense_grid(
    twin: &Twin,
    dtype: DType,
    head_dim: usize,
    heads: Heads,
    causal: bool,
) -> Result<()> {
    for (at, lengths) in DENSE.into_iter().enumerate() {
        let (seed, on) = ((head_dim + at) as u64, (dtype, &twin.device));
        let inputs = dense(seed, 1 + (at + 1) % 2, heads, lengths, head_dim, on)?;
        let case = format!("{lengths:?} queries and keys");
        dense_is_accurate(twin, &case, &inputs, (scale_of(head_dim), causal))?;
    }
    Ok(())
}

/// The grid's packed batch, of one type and head dim.
pub fn packed_grid(
    twin: &Twin,
    dtype: DType,
    head_dim: usize,
    heads: Heads,
    causal: bool,
) -> Result<()> {
    let batch = Packed::new(&RAGGED, heads, head_dim);
    let inputs = batch.inputs(head_dim as u64, dtype, &twin.device)?;
    packed_is_accurate(twin, "packed", &batch, &inputs, (scale_of(head_dim), causal))
}

pub fn every_sharing(twin: &Twin, head_dim: usize) -> Result<()> {
    for (dtype, heads) in HALVES.into_iter().flat_map(|dtype| HEADS.map(|heads| (dtype, heads))) {
        for causal in [false, true] {
            let case = format!("{dtype:?}, head dim {head_dim}, heads {heads:?}, causal {causal}");
            let how = (scale_of(head_dim), causal);
            let inputs = dense(3, 2, heads, (40, 70), head_dim, (dtype, &twin.device))?;
            dense_is_accurate(twin, &case, &inputs, how)?;
            let batch = Packed::new(&[(40, 70), (3, 0), (9, 5)], heads, head_dim);
            let inputs = batch.inputs(4, dtype, &twin.device)?;
            packed_is_accurate(twin, &format!("packed, {case}"), &batch, &inputs, how)?;
        }
    }
    Ok(())
}

pub fn short_sequences(twin: &Twin, head_dim: usize) -> Result<()> {
    let lengths: Vec<_> = (0..300).map(|at| (at * 7 % 12, at * 5 % 17)).collect();
    let batch = Packed::new(&lengths, [2, 1], head_dim);
    for (dtype, causal) in HALVES.into_iter().zip([true, false]) {
        let inputs = batch.inputs(5, dtype, &twin.device)?;
        packed_is_accurate(twin, "300 sequences", &batch, &inputs, (scale_of(head_dim), causal))?;
    }
    Ok(())
}

/// Their numbers are rounded to half precision on the way: naive attention is given the rounded ones.
pub fn other_types(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&RAGGED, [4, 2], head_dim);
    for (dtype, large) in [(DType::F32, 1.), (DType::F64, 1.), (DType::F32, 1e5)] {
        let half = if large > 1. { DType::BF16 } else { DType::F16 };
        let [q, k, v] = batch.inputs(12, dtype, &twin.device)?;
        let inputs = [q, k, (v * large)?];
        let [q, k, v] = inputs.each_ref().map(|x| x.to_dtype(half));
        let (halves, scale) = ([q?, k?, v?], scale_of(head_dim));
        let (naive, expected) =
            (run(&Naive, &batch, &halves, scale, true)?, batch.reference(&inputs, scale, true)?);
        let out = run(&twin.cuda, &batch, &inputs, scale, true)?;
        accurate(&format!("packed, {dtype:?} by {half:?}"), &out, dtype, &naive, &expected)?;
        let [q, k, v] = batch.one(&inputs, 5)?;
        let out = twin.cuda.dense(&q, &k, &v, scale, true)?;
        let expected = reference(&[q, k, v], scale, true)?;
        let [q, k, v] = batch.one(&halves, 5)?;
        let naive = Naive.dense(&q, &k, &v, scale, true)?;
        accurate(&format!("dense, {dtype:?} by {half:?}"), &out, dtype, &naive, &expected)?;
    }
    Ok(())
}

pub fn scales(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(40, 70), (3, 0), (70, 40)], [4, 2], head_dim);
    for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let inputs = batch.inputs(14, dtype, &twin.device)?;
        for scale in [1., -0.1, 0., 1e-4, -2.] {
            let case = format!("{dtype:?}, causal {causal}, scale {scale}");
            packed_is_accurate(twin, &case, &batch, &inputs, (scale, causal))?;
        }
        for scale in [f32::NAN, f32::INFINITY] {
            let out = run(&twin.cuda, &batch, &inputs, scale, causal);
            refused(&format!("scale {scale}"), out, &["scale: expected a finite number"])?;
        }
    }
    Ok(())
}

pub fn nothing(twin: &Twin, head_dim: usize) -> Result<()> {
    let on = (DType::F16, &twin.device);
    for (batch, heads, lengths, head_dim) in [
        (0, [2, 1], (3, 4), head_dim),
        (2, [2, 1], (0, 4), head_dim),
        (2, [2, 1], (3, 0), head_dim),
        (2, [0, 0], (3, 4), head_dim),
        (2, [2, 1], (3, 4), 0),
    ] {
        let [q, k, v] = dense(15, batch, heads, lengths, head_dim, on)?;
        let out = twin.cuda.dense(&q, &k, &v, 0.1, true)?;
        let case = format!("{:?} on {:?}", q.dims(), k.dims());
        if out.dims() != q.dims() {
            bail!("{case}: expected {:?}; got {:?}", q.dims(), out.dims());
        }
        close(&case, &out, &Tensor::zeros(q.shape(), DType::F64, &Device::Cpu)?, 0.)?;
    }
    for lengths in [vec![(0, 0)], vec![(0, 3), (0, 2)], vec![(3, 0), (2, 0)], vec![(0, 3), (2, 0)]]
    {
        let batch = Packed::new(&lengths, [4, 2], head_dim);
        let inputs = batch.inputs(16, DType::BF16, &twin.device)?;
        let out = run(&twin.cuda, &batch, &inputs, 0.1, true)?;
        close(&format!("{lengths:?}"), &out, &batch.reference(&inputs, 0.1, true)?, 0.)?;
    }
    Ok(())
}
