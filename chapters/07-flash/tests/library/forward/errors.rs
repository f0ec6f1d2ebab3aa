//! What does not fit is said: what was expected, what came, what to do.

use candle_core::{DType, Device, Result, Tensor, Var};
use flash::{SdpaOptions, flash_attention, naive, sdpa};

fn zeros(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::zeros(shape, dtype, &Device::Cpu)
}

#[track_caller]
fn refused(q: &Tensor, k: &Tensor, v: &Tensor, options: &SdpaOptions, parts: &[&str]) {
    for attention in [flash_attention, sdpa, naive::attention] {
        let error = attention(q, k, v, options).expect_err("an error").to_string();
        parts.iter().for_each(|part| assert!(error.contains(part), "{error:?} lacks {part:?}"));
    }
}

#[test]
fn shapes_that_do_not_fit() -> Result<()> {
    let good = |shape: &[usize]| zeros(shape, DType::F32);
    let (q, k, v) = (good(&[2, 4, 3, 8])?, good(&[2, 2, 5, 8])?, good(&[2, 2, 5, 6])?);
    let plain = SdpaOptions::default();
    assert!(flash_attention(&q, &k, &v, &plain).is_ok());
    refused(&good(&[4, 3, 8])?, &k, &v, &plain, &["q: expected 4 dimensions", "[4, 3, 8]"]);
    refused(&q, &good(&[1, 2, 5, 8])?, &v, &plain, &["k: expected", "batch 2", "[1, 2, 5, 8]"]);
    refused(&q, &good(&[2, 2, 5, 7])?, &v, &plain, &["k: expected", "d 8", "[2, 2, 5, 7]"]);
    refused(&q, &k, &good(&[2, 2, 4, 6])?, &plain, &["v: expected", "[2, 2, 4, 6]"]);
    let (k3, v3) = (good(&[2, 3, 5, 8])?, good(&[2, 3, 5, 6])?);
    refused(&q, &k3, &v3, &plain, &["heads_q", "multiple of heads_kv, 3", "got 4"]);
    let (k0, v0) = (good(&[2, 0, 5, 8])?, good(&[2, 0, 5, 6])?);
    refused(&q, &k0, &v0, &plain, &["multiple of heads_kv, 0"]);
    Ok(())
}

#[test]
fn types_that_do_not_fit() -> Result<()> {
    let of = |dtype| zeros(&[1, 1, 2, 4], dtype);
    let (f32, f16, u8) = (of(DType::F32)?, of(DType::F16)?, of(DType::U8)?);
    let plain = SdpaOptions::default();
    refused(&f32, &f16, &f32, &plain, &["k: expected F32", "got F16", "to_dtype"]);
    refused(&f32, &f32, &f16, &plain, &["v: expected F32", "got F16", "to_dtype"]);
    refused(&u8, &u8, &u8, &plain, &["q: expected f32, f64, f16 or bf16; got U8"]);
    Ok(())
}

#[test]
fn options_that_make_no_sense() -> Result<()> {
    let x = zeros(&[1, 2, 3, 4], DType::F32)?;
    let check = |options: SdpaOptions, parts: &[&str]| refused(&x, &x, &x, &options, parts);
    let plain = SdpaOptions::default;
    check(plain().scale(f64::NAN), &["scale: expected a finite number", "NaN"]);
    check(plain().softcap(0.), &["softcap: expected a finite number above 0", "got 0"]);
    check(plain().softcap(-3.), &["softcap", "got -3"]);
    let keep = zeros(&[3, 3], DType::F32)?;
    check(plain().keep(keep.clone()), &["keep: expected u8", "got F32", "Mask::Bias"]);
    check(plain().bias(zeros(&[3, 3], DType::U8)?), &["bias: expected a float", "Mask::Keep"]);
    check(
        plain().bias(zeros(&[3, 4], DType::F32)?),
        &["bias", "[1, 2, 3, 3]", "[3, 4]", "unsqueeze"],
    );
    check(plain().bias(zeros(&[1, 1, 1, 3, 3], DType::F32)?), &["bias", "[1, 1, 1, 3, 3]"]);
    let learned = Var::from_tensor(&keep)?;
    check(plain().bias(learned.as_tensor().clone()), &["bias", "gradient", "detach"]);
    assert!(sdpa(&x, &x, &x, &plain().bias(learned.as_detached_tensor())).is_ok());
    Ok(())
}

#[test]
fn windows_may_be_as_wide_as_they_like() -> Result<()> {
    let x = seeded::normal(1, (1, 1, 5, 4))?;
    let out = |options: SdpaOptions| {
        flash_attention(&x, &x, &x, &options)?.flatten_all()?.to_vec1::<f32>()
    };
    let all = out(SdpaOptions::default())?;
    assert_eq!(all, out(SdpaOptions::default().window(usize::MAX, usize::MAX))?);
    assert_eq!(all, out(SdpaOptions::default().window(None, None))?);
    Ok(())
}
