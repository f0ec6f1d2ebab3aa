//! What does not fit is said: which tensor, which entry, what was expected, what came.

use crate::batch::{Batch, cumulative};
use candle_core::{DType, Device, Result, Tensor};
use flash::ragged::{self, Ragged};
use flash::{Path, SdpaOptions};
use varlen::{flash_attention_varlen, flash_attention_varlen_windowed_softcap};

fn zeros(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::zeros(shape, dtype, &Device::Cpu)
}

#[track_caller]
fn refused<T>(result: Result<T>, parts: &[&str]) {
    let Err(error) = result else { panic!("expected an error with {parts:?}") };
    let error = error.to_string();
    parts.iter().for_each(|part| assert!(error.contains(part), "{error:?} lacks {part:?}"));
}

#[test]
fn cumulative_lengths_that_are_none() -> Result<()> {
    let x = zeros(&[9, 2, 4], DType::F32)?;
    let good = cumulative(&[0, 2, 5, 9])?;
    let check = |bad: &Tensor, parts: &[&str]| {
        for (name, q, k) in [("cu_seqlens_q", bad, &good), ("cu_seqlens_k", &good, bad)] {
            let out = flash_attention_varlen(&x, &x, &x, q, k, 9, 9, 1., false);
            refused(out, &[&[name], parts].concat());
        }
    };
    assert!(flash_attention_varlen(&x, &x, &x, &good, &good, 9, 9, 1., false).is_ok());
    check(&cumulative(&[1, 2, 5, 9])?, &["entry 0 to be 0", "got 1"]);
    check(&cumulative(&[2, 3, 4])?, &["entry 0 to be 0", "got 2", "[0, 2, 5, 9]"]);
    check(&cumulative(&[0, 5, 2, 9])?, &["entry 2 to be at least 5", "got 2"]);
    check(&cumulative(&[0, 2, 5, 3])?, &["entry 3 to be at least 5", "got 3"]);
    check(&cumulative(&[0, 2, 5, 8])?, &["last entry (number 3) to be 9", "got 8"]);
    check(&cumulative(&[0, 2, 5, 10])?, &["last entry (number 3) to be 9", "got 10"]);
    check(&cumulative(&[])?, &["at least one entry", "got none"]);
    check(&good.to_dtype(DType::I64)?, &["expected u32", "got I64"]);
    check(&good.to_dtype(DType::F32)?, &["expected u32", "got F32"]);
    check(&good.unsqueeze(0)?, &["(batch + 1)", "[1, 4]"]);
    check(&Tensor::new(9u32, &Device::Cpu)?, &["(batch + 1)", "[]"]);
    let three = cumulative(&[0, 2, 9])?;
    let parts = ["cu_seqlens_k: expected 4 entries", "got 3"];
    refused(flash_attention_varlen(&x, &x, &x, &good, &three, 9, 9, 1., false), &parts);
    let parts = ["cu_seqlens_k: expected 3 entries", "got 4"];
    refused(flash_attention_varlen(&x, &x, &x, &three, &good, 9, 9, 1., false), &parts);
    Ok(())
}

#[test]
fn maxima_that_are_too_small() -> Result<()> {
    let batch = Batch::new(&[(2, 7), (3, 1), (4, 1)], [2, 2], [4, 4]);
    let ([q, k, v], [cu_q, cu_k]) = (batch.inputs(1)?, batch.cumulative()?);
    let run =
        |max_q, max_k| flash_attention_varlen(&q, &k, &v, &cu_q, &cu_k, max_q, max_k, 1., true);
    assert!(run(4, 7).is_ok() && run(usize::MAX, usize::MAX).is_ok());
    refused(run(3, 7), &["max_seqlen_q: expected at least 4", "got 3", "sequence 2 has 4"]);
    refused(run(0, 7), &["max_seqlen_q: expected at least 4", "got 0", "sequence 0 has 2"]);
    refused(run(4, 6), &["max_seqlen_k: expected at least 7", "got 6", "sequence 0 has 7"]);
    Ok(())
}

#[test]
fn shapes_and_types_that_do_not_fit() -> Result<()> {
    let good = |shape: &[usize]| zeros(shape, DType::F32);
    let (q, k, v) = (good(&[3, 4, 8])?, good(&[5, 2, 8])?, good(&[5, 2, 6])?);
    let (cu_q, cu_k) = (cumulative(&[0, 1, 3])?, cumulative(&[0, 5, 5])?);
    let run = |q: &Tensor, k: &Tensor, v: &Tensor| {
        flash_attention_varlen(q, k, v, &cu_q, &cu_k, 5, 5, 1., false)
    };
    assert!(run(&q, &k, &v).is_ok());
    refused(run(&good(&[1, 4, 3, 8])?, &k, &v), &["q: expected 3 dimensions", "[1, 4, 3, 8]"]);
    refused(run(&q, &k, &good(&[5, 12])?), &["v: expected 3 dimensions", "[5, 12]"]);
    refused(run(&q, &good(&[5, 2, 7])?, &v), &["k: expected", "d 8", "[5, 2, 7]"]);
    refused(run(&q, &k, &good(&[4, 2, 6])?), &["v: expected", "[4, 2, 6]"]);
    let (k3, v3) = (good(&[5, 3, 8])?, good(&[5, 3, 6])?);
    refused(run(&q, &k3, &v3), &["multiple of heads_kv, 3", "got 4"]);
    refused(run(&good(&[2, 4, 8])?, &k, &v), &["cu_seqlens_q", "to be 2", "got 3"]);
    let half = |x: &Tensor| x.to_dtype(DType::F16);
    refused(run(&q, &half(&k)?, &v), &["k: expected F32", "got F16"]);
    refused(run(&q, &k, &half(&v)?), &["v: expected F32", "got F16"]);
    let whole = |x: &Tensor| x.to_dtype(DType::U8);
    refused(run(&whole(&q)?, &whole(&k)?, &whole(&v)?), &["f32, f64, f16 or bf16; got U8"]);
    Ok(())
}

#[test]
fn options_that_make_no_sense() -> Result<()> {
    let (x, ends) = (zeros(&[3, 2, 4], DType::F32)?, cumulative(&[0, 1, 3])?);
    let run = |scale, softcap| {
        flash_attention_varlen_windowed_softcap(
            &x, &x, &x, &ends, &ends, 2, 2, scale, None, None, softcap,
        )
    };
    assert!(run(1., 0.).is_ok());
    refused(run(f32::NAN, 1.), &["scale: expected a finite number", "NaN"]);
    refused(run(1., -1.), &["softcap: expected a finite number above 0", "got -1"]);
    refused(run(1., f32::INFINITY), &["softcap", "inf"]);
    let masked = SdpaOptions::default().keep(zeros(&[2, 2], DType::U8)?);
    let sequences = Ragged::new(&ends, &ends)?;
    refused(ragged::attention(&x, &x, &x, &sequences, &masked), &["mask: expected none"]);
    for path in [Path::Avx2, Path::Avx512] {
        if !Path::available().contains(&path) {
            let plain = SdpaOptions::default();
            refused(ragged::attention_on(path, &x, &x, &x, &sequences, &plain), &["path"]);
        }
    }
    Ok(())
}
