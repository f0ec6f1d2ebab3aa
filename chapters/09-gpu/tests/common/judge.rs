//! How results are compared.

use candle_core::{DType, Device, Result, Tensor, bail};
use compare::largest_error;
use gpu::solution::as_accurate;

/// All numbers as f64, on the CPU.
pub fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    if x.elem_count() == 0 {
        return Ok(vec![]);
    }
    x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// Errors unless `out` has this shape and type, and at most twice the error of naive attention in half precision.
pub fn accurate(
    case: &str,
    out: &Tensor,
    dtype: DType,
    naive: &Tensor,
    reference: &Tensor,
) -> Result<()> {
    if out.dims() != reference.dims() || out.dtype() != dtype {
        let (expected, got, its) = (reference.dims(), out.dims(), out.dtype());
        bail!("{case}: expected {expected:?} of {dtype:?}; got {got:?} of {its:?}");
    }
    if out.elem_count() == 0 {
        return Ok(());
    }
    let [out, naive] = [out.to_device(&Device::Cpu)?, naive.to_device(&Device::Cpu)?];
    if !as_accurate(&out, &naive, reference)? {
        let (ours, its) = (largest_error(&out, reference)?, largest_error(&naive, reference)?);
        bail!("{case}: off by {ours:.2e}; expected at most twice naive attention's {its:.2e}");
    }
    Ok(())
}

/// Errors unless both hold the same bits.
pub fn same_bits(case: &str, first: &Tensor, second: &Tensor) -> Result<()> {
    let bits = |x| Ok(numbers(x)?.into_iter().map(f64::to_bits).collect::<Vec<_>>());
    let (first, second): (Result<Vec<u64>>, Result<Vec<u64>>) = (bits(first), bits(second));
    if first? != second? {
        bail!("{case}: expected the same bits; they differ");
    }
    Ok(())
}

/// Errors unless no number is further off than `allowed`.
pub fn close(case: &str, got: &Tensor, expected: &Tensor, allowed: f64) -> Result<()> {
    if got.dims() != expected.dims() {
        bail!("{case}: expected {:?}; got {:?}", expected.dims(), got.dims());
    }
    let error = largest_error(got, expected)?;
    if error.is_nan() || error > allowed {
        bail!("{case}: off by {error:.2e}; expected at most {allowed:.2e}");
    }
    Ok(())
}

/// Errors unless `result` is an error whose text holds all `parts`.
pub fn refused(case: &str, result: Result<Tensor>, parts: &[&str]) -> Result<()> {
    let Err(error) = result else {
        bail!("{case}: expected an error with {parts:?}; got a result")
    };
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default(); // without a backtrace
    match parts.iter().find(|part| !text.contains(**part)) {
        Some(part) => bail!("{case}: expected an error with {part:?}; got {text}"),
        None => Ok(()),
    }
}

/// The most by which this type rounds a number, relatively.
pub fn unit(dtype: DType) -> f64 {
    match dtype {
        DType::BF16 => 2f64.powi(-8),
        DType::F16 => 2f64.powi(-11),
        DType::F32 => 2f64.powi(-24),
        _ => 2f64.powi(-53),
    }
}
