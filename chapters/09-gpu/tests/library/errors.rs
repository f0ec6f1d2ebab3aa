//! What does not fit is refused by all alike, before anything is launched: which argument, what was expected, what came.

use crate::{
    common::inputs::{Packed, dense},
    strict::{api, calls, fault},
};
use candle_core::{DType, Device, Result, Tensor};
use gpu::{Attend, Cpu, Cuda, Naive, Picked};

/// All that compute attention; the GPU twin in front of the stand-in.
pub fn all() -> Vec<(&'static str, Box<dyn Attend>)> {
    let cuda = Cuda::with(&Device::Cpu, api::<{ fault::NONE }>());
    vec![
        ("cpu", Box::new(Cpu)),
        ("naive", Box::new(Naive)),
        ("picked", Box::new(Picked::with((8, 0), cuda.clone()))),
        ("cuda", Box::new(cuda)),
    ]
}

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F16, &Device::Cpu)
}

/// Panics unless all refuse this with these words, without a launch.
#[track_caller]
fn refused(run: impl Fn(&dyn Attend) -> Result<Tensor>, parts: &[&str]) {
    for (who, attend) in all() {
        let before = calls();
        let Err(error) = run(attend.as_ref()) else { panic!("{who}: expected {parts:?}") };
        let error = error.to_string();
        let error = error.lines().next().unwrap_or_default(); // without a backtrace
        for part in parts {
            assert!(error.contains(part), "{who}: {error:?} lacks {part:?}");
        }
        assert_eq!(calls(), before, "{who}: launched all the same");
    }
}

#[test]
fn dense_shapes_and_types() -> Result<()> {
    let (q, k) = (zeros(&[2, 4, 3, 8])?, zeros(&[2, 2, 5, 8])?);
    let check = |q: &Tensor, k: &Tensor, v: &Tensor, parts: &[&str]| {
        refused(|by| by.dense(q, k, v, 1., true), parts);
    };
    for (_, attend) in all() {
        assert!(attend.dense(&q, &k, &k, 1., true).is_ok());
    }
    check(&zeros(&[4, 3, 8])?, &k, &k, &["q: expected 4 dimensions", "[4, 3, 8]"]);
    check(&q, &zeros(&[2, 5, 8])?, &k, &["k: expected 4 dimensions", "[2, 5, 8]"]);
    check(&q, &k, &zeros(&[])?, &["v: expected 4 dimensions", "[]"]);
    check(&zeros(&[])?, &k, &k, &["q: expected 4 dimensions", "[]"]);
    check(&q, &zeros(&[2, 2, 5, 16])?, &k, &["k: expected", "[2, 2, 5, 8]", "got [2, 2, 5, 16]"]);
    check(&q, &zeros(&[1, 2, 5, 8])?, &k, &["k: expected", "[2, 2, 5, 8]", "got [1, 2, 5, 8]"]);
    check(&q, &k, &zeros(&[2, 2, 4, 8])?, &["v: expected", "[2, 2, 5, 8]", "got [2, 2, 4, 8]"]);
    check(&q, &k, &zeros(&[2, 2, 5, 16])?, &["v: expected", "got [2, 2, 5, 16]"]);
    check(&q, &k, &zeros(&[2, 1, 5, 8])?, &["v: expected", "got [2, 1, 5, 8]"]);
    for heads in [0, 3, 8] {
        let k = zeros(&[2, heads, 5, 8])?;
        check(&q, &k, &k, &["k: expected", "divides q's 4", &format!("got {heads}")]);
    }
    let f32s = |x: &Tensor| x.to_dtype(DType::F32);
    check(&q, &f32s(&k)?, &k, &["k: expected F16", "got F32"]);
    check(&q, &k, &f32s(&k)?, &["v: expected F16", "got F32"]);
    for dtype in [DType::U8, DType::U32, DType::I64] {
        let [q, k] = [q.to_dtype(dtype)?, k.to_dtype(dtype)?];
        check(&q, &k, &k, &["q: expected f32, f64, f16 or bf16", &format!("{dtype:?}")]);
    }
    for scale in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(|by| by.dense(&q, &k, &k, scale, true), &["scale: expected a finite number"]);
    }
    Ok(())
}

#[test]
fn packed_shapes_types_and_lengths() -> Result<()> {
    let batch = Packed::new(&[(1, 5), (2, 0)], [4, 2], 8);
    let ([q, k, v], [cu_q, cu_k]) =
        (batch.inputs(1, DType::BF16, &Device::Cpu)?, batch.cu_seqlens(&Device::Cpu)?);
    for (_, attend) in all() {
        assert!(attend.varlen(&q, &k, &v, &cu_q, &cu_k, 2, 5, 1., true).is_ok());
    }
    let check = |q: &Tensor, k: &Tensor, v: &Tensor, parts: &[&str]| {
        refused(|by| by.varlen(q, k, v, &cu_q, &cu_k, 2, 5, 1., true), parts);
    };
    check(&q.unsqueeze(0)?, &k, &v, &["q: expected 3 dimensions", "[1, 3, 4, 8]"]);
    check(&q, &k.flatten_all()?, &v, &["k: expected 3 dimensions", "[80]"]);
    check(&q, &k, &v.unsqueeze(0)?, &["v: expected 3 dimensions", "[1, 5, 2, 8]"]);
    check(&q, &k.narrow(2, 0, 4)?, &v, &["k: expected", "[5, 2, 8]", "got [5, 2, 4]"]);
    check(&q, &k, &v.narrow(0, 0, 4)?, &["v: expected", "[5, 2, 8]", "got [4, 2, 8]"]);
    check(&q.narrow(1, 0, 3)?, &k, &v, &["k: expected", "divides q's 3", "got 2"]);
    check(&q, &k, &v.to_dtype(DType::F32)?, &["v: expected BF16", "got F32"]);
    check(&q.narrow(0, 0, 2)?, &k, &v, &["cu_seqlens_q: expected to end with 2", "got 3"]);
    check(
        &q,
        &k.narrow(0, 0, 4)?,
        &v.narrow(0, 0, 4)?,
        &["cu_seqlens_k: expected to end with 4", "got 5"],
    );
    refused(|by| by.varlen(&q, &k, &v, &cu_q, &cu_k, 2, 5, f32::NAN, true), &["scale"]);

    let ends = |ends: &[u32]| Tensor::from_slice(ends, ends.len(), &Device::Cpu);
    let queries = |bad: &Tensor, parts: &[&str]| {
        refused(|by| by.varlen(&q, &k, &v, bad, &cu_k, 9, 9, 1., true), parts);
    };
    let keys = |bad: &Tensor, parts: &[&str]| {
        refused(|by| by.varlen(&q, &k, &v, &cu_q, bad, 9, 9, 1., true), parts);
    };
    queries(&ends(&[0, 4, 3])?, &["cu_seqlens_q", "[4, 3]"]);
    queries(&ends(&[1, 2, 3])?, &["cu_seqlens_q: expected 0", "[1, 2, 3]"]);
    queries(&ends(&[0])?, &["cu_seqlens_q", "at least one", "[0]"]);
    queries(&ends(&[])?, &["cu_seqlens_q", "at least one", "[]"]);
    keys(&ends(&[0, 6, 5])?, &["cu_seqlens_k", "[6, 5]"]);
    keys(&ends(&[0, 5, 6])?, &["cu_seqlens_k: expected to end with 5", "got 6"]);
    keys(&ends(&[0, u32::MAX, 5])?, &["cu_seqlens_k"]);
    keys(&ends(&[0, 1, 5, 5])?, &["cu_seqlens_k: expected 3 entries", "got 4"]);
    keys(&cu_k.to_dtype(DType::I64)?, &["cu_seqlens_k: expected u32", "I64"]);
    keys(&cu_k.unsqueeze(1)?, &["cu_seqlens_k: expected u32, (batch + 1)", "[3, 1]"]);
    keys(&Tensor::new(5u32, &Device::Cpu)?, &["cu_seqlens_k", "(batch + 1)", "[]"]);
    let longest = |max_q, max_k, parts: &[&str]| {
        refused(|by| by.varlen(&q, &k, &v, &cu_q, &cu_k, max_q, max_k, 1., true), parts);
    };
    longest(1, 5, &["max_seqlen_q: expected at least 2", "got 1"]);
    longest(2, 4, &["max_seqlen_k: expected at least 5", "got 4"]);
    longest(0, 0, &["max_seqlen_q: expected at least 2", "got 0"]);
    Ok(())
}

/// Any small sizes, zeros among them: nothing panics, all refuse the same, and what comes has q's shape.
#[test]
fn small_sizes_are_computed_or_refused() -> Result<()> {
    let sizes = |number: usize, count: usize| -> Vec<usize> {
        (0..count).map(|at| [0, 1, 2][number / 3usize.pow(at as u32) % 3]).collect()
    };
    let agree = |case: &str, q: &Tensor, run: &dyn Fn(&dyn Attend) -> Result<Tensor>| {
        let outs: Vec<_> = all().into_iter().map(|(who, by)| (who, run(by.as_ref()))).collect();
        for (who, out) in &outs {
            assert_eq!(out.is_ok(), outs[0].1.is_ok(), "{case}, {who}: {out:?}");
            assert!(
                out.as_ref().is_ok_and(|out| out.dims() == q.dims()) || out.is_err(),
                "{case}, {who}"
            );
        }
    };
    for number in 0..3usize.pow(6) {
        let [batch, heads_q, heads_kv, seq_q, seq_k, dim] = sizes(number, 6)[..] else {
            unreachable!()
        };
        let (heads, dtype) = ([heads_q, heads_kv], [DType::F16, DType::F32][number % 2]);
        let case =
            format!("batch {batch}, heads {heads:?}, {seq_q} on {seq_k}, head dim {}", 5 * dim);
        let [q, k, v] = dense(1, batch, heads, (seq_q, seq_k), 5 * dim, (dtype, &Device::Cpu))?;
        agree(&case, &q, &|by| by.dense(&q, &k, &v, 0.5, number % 4 < 2));
        let packed = Packed::new(&vec![(seq_q, seq_k); batch], heads, 5 * dim);
        let ([q, k, v], [cu_q, cu_k]) =
            (packed.inputs(1, dtype, &Device::Cpu)?, packed.cu_seqlens(&Device::Cpu)?);
        agree(&format!("packed, {case}"), &q, &|by| {
            by.varlen(&q, &k, &v, &cu_q, &cu_k, 2, 2, 0.5, number % 4 < 2)
        });
    }
    Ok(())
}
