//! What is refused before anything is launched, and what is left to others.

use super::{
    Twin,
    accuracy::run,
    inputs::{Packed, dense},
    judge::{refused, same_bits},
};
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use gpu::{Attend, Kernel, Naive};

pub fn lengths_refused(twin: &Twin, head_dim: usize) -> Result<()> {
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

pub fn elsewhere(twin: &Twin, head_dim: usize) -> Result<()> {
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

pub fn no_gradient(twin: &Twin, head_dim: usize) -> Result<()> {
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

pub fn picks(twin: &Twin, head_dim: usize) -> Result<()> {
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
