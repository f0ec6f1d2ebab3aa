//! The cases: the grid of head dims, types and lengths, and one case for each thing that is promised beside.

use super::{
    Twin,
    inputs::{Heads, Packed, dense, reference},
    judge::{accurate, close, largest_error, refused, same_bits, unit},
};
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use gpu::{Attend, Kernel, Naive, six};
use varlen::batch::Batch;

type Run = dyn Fn(&Twin) -> Result<()> + Send;
type Other = (&'static str, fn(&Twin, usize) -> Result<()>);

/// Something that must hold.
pub struct Case {
    pub name: String,
    /// The head dims whose kernels it needs.
    pub kernels: Vec<usize>,
    pub run: Box<Run>,
}

impl Case {
    fn new(
        name: String,
        head_dims: &[usize],
        run: impl Fn(&Twin) -> Result<()> + Send + 'static,
    ) -> Self {
        let kernels = head_dims.iter().map(|head_dim| kernel_of(*head_dim)).collect();
        Self { name, kernels, run: Box::new(run) }
    }
}

/// The head dim of the kernel that computes this one: candle-flash-attn's `HEADDIM_SWITCH`.
fn kernel_of(head_dim: usize) -> usize {
    const KERNELS: [usize; 8] = [32, 64, 96, 128, 160, 192, 224, 256];
    KERNELS.into_iter().find(|kernel| head_dim <= *kernel).unwrap_or(512)
}

/// The grid's head dims: one for each kernel, and two that lie between.
pub const HEAD_DIMS: [usize; 11] = [20, 32, 64, 72, 96, 128, 160, 192, 224, 256, 512];
const HALVES: [DType; 2] = [DType::F16, DType::BF16];
const HEADS: [Heads; 3] = [[2, 2], [8, 2], [6, 1]];

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
const RAGGED: [(usize, usize); 13] = [
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

/// All cases: the grid over these head dims, the others at the head dim `one`.
pub fn cases(head_dims: &[usize], one: usize) -> Vec<Case> {
    let mut cases = vec![];
    for (at, &head_dim) in head_dims.iter().enumerate() {
        for dtype in HALVES {
            for causal in [false, true] {
                let heads = HEADS[(at + usize::from(causal)) % HEADS.len()];
                let of = format!(
                    "{}, head dim {head_dim}, {} on {} heads{}",
                    dtype.as_str(),
                    heads[0],
                    heads[1],
                    if causal { ", causal" } else { "" }
                );
                let kind =
                    move |twin: &Twin, name: &str| grid(twin, name, dtype, causal, head_dim, heads);
                for name in ["dense", "packed"] {
                    let run = move |twin: &Twin| kind(twin, name);
                    cases.push(Case::new(format!("{name}: {of}"), &[head_dim], run));
                }
            }
        }
    }
    let others: [Other; 16] = [
        ("the kernels run on this device", |twin, _| twin.cuda.answers()),
        ("every sharing of heads", every_sharing),
        ("hundreds of short sequences", short_sequences),
        ("a token alone gets its value", tokens_alone),
        ("two runs give the same bits", runs_are_equal),
        ("packed equals dense", packed_equals_dense),
        ("lengths may be said too large, and lie anywhere", said_too_large),
        ("lengths that do not fit are refused", lengths_refused),
        ("tensors elsewhere are refused", elsewhere),
        ("f32 and f64 come back as such", other_types),
        ("any strides", strides),
        ("any scale", scales),
        ("nothing to see, nothing to ask", nothing),
        ("backward says that it is not supported", no_gradient),
        ("each call gets the kernel that fits", picks),
        ("the six variants", six_variants),
    ];
    cases.extend(others.map(|(name, run)| {
        Case::new(name.to_owned(), &[one, 64], move |twin: &Twin| run(twin, one))
    }));
    let padded = |twin: &Twin| [1, 7, 8].iter().try_for_each(|dim| every_sharing(twin, *dim));
    cases.push(Case::new("head dims that are padded".to_owned(), &[8, 64], padded));
    cases
}

fn scale_of(head_dim: usize) -> f32 {
    1. / (head_dim as f32).sqrt()
}

/// A packed batch by `attend`.
fn run(
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

fn grid(
    twin: &Twin,
    name: &str,
    dtype: DType,
    causal: bool,
    head_dim: usize,
    heads: Heads,
) -> Result<()> {
    let how = (scale_of(head_dim), causal);
    if name == "packed" {
        let batch = Packed::new(&RAGGED, heads, head_dim);
        let inputs = batch.inputs(head_dim as u64, dtype, &twin.device)?;
        return packed_is_accurate(twin, "packed", &batch, &inputs, how);
    }
    for (at, lengths) in DENSE.into_iter().enumerate() {
        let seed = (head_dim + at) as u64;
        let on = (dtype, &twin.device);
        let inputs = dense(seed, 1 + (at + 1) % 2, heads, lengths, head_dim, on)?;
        dense_is_accurate(twin, &format!("{lengths:?} queries and keys"), &inputs, how)?;
    }
    Ok(())
}

fn every_sharing(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn short_sequences(twin: &Twin, head_dim: usize) -> Result<()> {
    let lengths: Vec<_> = (0..300).map(|at| (at * 7 % 12, at * 5 % 17)).collect();
    let batch = Packed::new(&lengths, [2, 1], head_dim);
    for (dtype, causal) in HALVES.into_iter().zip([true, false]) {
        let inputs = batch.inputs(5, dtype, &twin.device)?;
        packed_is_accurate(twin, "300 sequences", &batch, &inputs, (scale_of(head_dim), causal))?;
    }
    Ok(())
}

fn tokens_alone(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(1, 1); 9], [2, 2], head_dim);
    for (dtype, causal) in HALVES.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]) {
        let inputs = batch.inputs(6, dtype, &twin.device)?;
        let out = run(&twin.cuda, &batch, &inputs, scale_of(head_dim), causal)?;
        same_bits(&format!("{dtype:?}, causal {causal}"), &out, &inputs[2])?;
    }
    Ok(())
}

fn runs_are_equal(twin: &Twin, head_dim: usize) -> Result<()> {
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

/// Weights are rounded once before they meet the values, and results once: by at most a unit of the largest value
/// each, on both sides.
fn packed_equals_dense(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn said_too_large(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn lengths_refused(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(2, 3), (3, 1)], [2, 2], head_dim);
    let inputs = batch.inputs(11, DType::F16, &twin.device)?;
    let before = run(&twin.cuda, &batch, &inputs, 0.1, false)?;
    let [q, k, v] = &inputs;
    for device in [&Device::Cpu, &twin.device] {
        let ([cu_q, cu_k], tensor) =
            (batch.cu_seqlens(device)?, |ends: &[u32]| Tensor::new(ends, device));
        let queries = |ends: &[u32], max, parts: &[&str]| {
            let out = twin.cuda.varlen(q, k, v, &tensor(ends)?, &cu_k, max, 3, 0.1, false);
            refused(&format!("queries {ends:?}, {max}"), out, parts)
        };
        let keys = |ends: &[u32], max, parts: &[&str]| {
            let out = twin.cuda.varlen(q, k, v, &cu_q, &tensor(ends)?, 3, max, 0.1, false);
            refused(&format!("keys {ends:?}, {max}"), out, parts)
        };
        queries(&[0, 2, 6], 4, &["cu_seqlens_q", "5", "6"])?;
        queries(&[0, 2, 4], 4, &["cu_seqlens_q", "5", "4"])?;
        queries(&[0, 7, 5], 7, &["cu_seqlens_q", "[7, 5]"])?;
        queries(&[1, 2, 5], 3, &["cu_seqlens_q", "[1, 2, 5]"])?;
        queries(&[0, 2, 5], 2, &["max_seqlen_q", "3", "2"])?;
        queries(&[0], 3, &["cu_seqlens_q", "[0]"])?;
        queries(&[0, 5], 5, &["cu_seqlens_k", "2", "3"])?;
        keys(&[0, 3, 5], 3, &["cu_seqlens_k", "4", "5"])?;
        keys(&[0, 3, 2], 3, &["cu_seqlens_k", "[3, 2]"])?;
        keys(&[0, u32::MAX, 4], 3, &["cu_seqlens_k"])?;
        keys(&[0, 3, 4], 2, &["max_seqlen_k", "3", "2"])?;
        let floats = tensor(&[0, 2, 5])?.to_dtype(DType::F32)?;
        let out = twin.cuda.varlen(q, k, v, &floats, &cu_k, 3, 3, 0.1, false);
        refused("floats", out, &["cu_seqlens_q", "u32", "F32"])?;
        let square = tensor(&[0, 2, 5])?.unsqueeze(0)?;
        let out = twin.cuda.varlen(q, k, v, &square, &cu_k, 3, 3, 0.1, false);
        refused("a square", out, &["cu_seqlens_q", "(batch + 1)", "[1, 3]"])?;
    }
    let (one, ends) = (q.narrow(0, 0, 1)?, [vec![0u32; 65_536], vec![1]].concat());
    let ends = Tensor::new(ends, &twin.device)?;
    let out = twin.cuda.varlen(&one, &one, &one, &ends, &ends, 1, 1, 0.1, false);
    refused("too many sequences", out, &["65,535", "65536"])?;
    same_bits("afterwards", &run(&twin.cuda, &batch, &inputs, 0.1, false)?, &before)
}

fn elsewhere(twin: &Twin, head_dim: usize) -> Result<()> {
    if twin.device.is_cpu() {
        return Ok(()); // there is no elsewhere
    }
    let [q, k, v] = dense(19, 1, [2, 1], (3, 4), head_dim, (DType::F16, &twin.device))?;
    let [a, b, c] = [&q, &k, &v].map(|x| x.to_device(&Device::Cpu));
    let (a, b, c) = (a?, b?, c?);
    let on = |q, k, v| twin.cuda.dense(q, k, v, 0.1, true);
    refused("all", on(&a, &b, &c), &["q: expected on Cuda", "got Cpu", "to_device"])?;
    refused("q", on(&a, &k, &v), &["k: expected on Cpu", "got Cuda"])?;
    refused("k", on(&q, &b, &v), &["k: expected on Cuda", "got Cpu"])?;
    refused("v", on(&q, &k, &c), &["v: expected on Cuda", "got Cpu"])?;
    // The same card, opened again, is the same place.
    if let Device::Cuda(_) = &twin.device {
        let again = Device::new_cuda(0)?;
        let q = q.to_device(&again)?;
        same_bits("opened again", &on(&q, &k, &v)?, &on(&a.to_device(&twin.device)?, &k, &v)?)?;
    }
    Ok(())
}

/// Their numbers are rounded to half precision on the way: naive attention is given the rounded ones.
fn other_types(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn strides(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn scales(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn nothing(twin: &Twin, head_dim: usize) -> Result<()> {
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

fn no_gradient(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Packed::new(&[(4, 6), (3, 3)], [2, 1], head_dim);
    for dtype in [DType::F16, DType::F32] {
        let inputs = batch.inputs(17, dtype, &twin.device)?;
        let [q, _, v] = inputs.each_ref().map(Var::from_tensor);
        let (q, v) = (q?, v?);
        let with = [q.as_tensor().clone(), inputs[1].clone(), v.as_tensor().clone()];
        let out = run(&twin.cuda, &batch, &with, 0.1, true)?.sum_all()?;
        let Err(error) = out.backward() else { bail!("{dtype:?}: expected no gradient; got one") };
        let text = error.to_string();
        if !text.contains("backward is not supported") || !text.contains("flash-attn") {
            bail!("{dtype:?}: expected an error that says so; got {text}");
        }
        let out = run(&twin.picked, &batch, &with, 0.1, true)?;
        let grads = out.sum_all()?.backward()?;
        if [&q, &v].iter().any(|x| grads.get(x).is_none()) {
            bail!("{dtype:?}: expected gradients by the naive kernel; got none");
        }
    }
    Ok(())
}

fn picks(twin: &Twin, head_dim: usize) -> Result<()> {
    let picks = |head_dim, dtype| {
        let [q, k, v] = dense(18, 1, [2, 1], (3, 4), head_dim, (dtype, &twin.device))?;
        let by = twin.picked.kernel(&q, &k, &v)?;
        let out = twin.picked.dense(&q, &k, &v, 0.1, true)?;
        let expected = match by {
            Kernel::Flash => twin.cuda.dense(&q, &k, &v, 0.1, true)?,
            _ => Naive.dense(&q, &k, &v, 0.1, true)?,
        };
        same_bits(&format!("{dtype:?}, {head_dim}"), &out, &expected)?;
        Ok(by)
    };
    for (head_dim, dtype, expected) in [
        (head_dim, DType::F16, Kernel::Flash),
        (head_dim, DType::BF16, Kernel::Flash),
        (head_dim, DType::F32, Kernel::Naive),
        (head_dim, DType::F64, Kernel::Naive),
        (520, DType::F16, Kernel::Naive),
    ] {
        let got: Result<Kernel> = picks(head_dim, dtype);
        let got = got?;
        if got != expected {
            bail!("{dtype:?}, head dim {head_dim}: expected {expected:?}; got {got:?}");
        }
    }
    let [q, k, v] = dense(18, 1, [2, 1], (3, 4), 520, (DType::F16, &twin.device))?;
    refused("head dim 520", twin.cuda.dense(&q, &k, &v, 0.1, true), &["q: expected", "512", "520"])
}

/// Inputs are rounded, then weights, then results: by a unit each, of numbers up to 5 or so, with room for the scores.
fn six_variants(twin: &Twin, head_dim: usize) -> Result<()> {
    let batch = Batch::new(3, &[70, 1, 129, 33, 64], 2, head_dim)?;
    for dtype in HALVES {
        let came = six::run_by(&batch, &twin.device, dtype, Some(&twin.cuda), 1)?;
        let names: Vec<&str> = came.iter().map(|(name, _)| *name).collect();
        let expected = varlen::six::SIX.map(|(name, _)| name);
        if names != expected {
            bail!("expected {expected:?}; got {names:?}");
        }
        for (name, came) in came {
            let eager = name.starts_with("eager");
            match came {
                six::Came::Not(why) if name == "sdpa_bidirectional" && why.contains("mask") => {}
                six::Came::Ran { dtype: its, off_by, .. } if name != "sdpa_bidirectional" => {
                    let wanted = if eager { DType::F32 } else { dtype };
                    let allowed = if eager { 1e-4 } else { 20. * unit(dtype) };
                    if its != wanted || f64::from(off_by) > allowed || off_by.is_nan() {
                        bail!(
                            "{name} in {its:?}: off by {off_by:.0e}; expected {wanted:?}, {allowed:.0e}"
                        );
                    }
                }
                other => bail!("{name}: did not expect {other:?}"),
            }
        }
    }
    Ok(())
}
