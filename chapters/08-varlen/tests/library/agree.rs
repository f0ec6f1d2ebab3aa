//! Packed equals one by one: to the bit through the same kernel, to rounding through its definition.

use crate::batch::{Batch, bits, norm, numbers};
use candle_core::{DType, Result, Tensor};
use flash::{Path, SdpaOptions, flash_attention_on, naive, ragged};

/// Panics unless packed attention agrees with attention on each sequence alone, on every path.
pub fn agrees(
    case: &str,
    batch: &Batch,
    inputs: &[Tensor; 3],
    options: &SdpaOptions,
) -> Result<()> {
    let ([q, k, v], sequences) = (inputs, batch.ragged()?);
    let expected: Vec<_> = (0..batch.lens.len())
        .map(|at| expected(batch, &batch.one(inputs, at)?, options))
        .collect::<Result<_>>()?;
    for path in Path::available() {
        let case = format!("{case}, {path:?}");
        let (out, lse) = ragged::attention_on(path, q, k, v, &sequences, options)?;
        let (total_q, _) = batch.totals();
        assert_eq!(out.dims(), [total_q, batch.heads_q, batch.dim_v], "{case}");
        assert_eq!(lse.dims(), [batch.heads_q, total_q], "{case}");
        assert_eq!((out.dtype(), lse.dtype()), (q.dtype(), DType::F32), "{case}");
        for (at, (want, allowed)) in expected.iter().enumerate() {
            let (got, got_lse) = (batch.out(&out, at)?, batch.lse(&lse, at)?);
            let [q, k, v] = batch.one(inputs, at)?;
            let (one, one_lse) = flash_attention_on(path, &q, &k, &v, options)?;
            assert_eq!(
                bits(&got)?,
                bits(&one)?,
                "{case}, sequence {at}: not the bits of one by one"
            );
            assert_eq!(bits(&got_lse)?, bits(&one_lse)?, "{case}, sequence {at}, lse");
            for (got, want) in numbers(&got)?.iter().zip(want) {
                let allowed = allowed[0] + allowed[1] * want.abs();
                assert!(
                    (got - want).abs() <= allowed,
                    "{case}, sequence {at}: got {got}, expected {want} ± {allowed}"
                );
            }
        }
    }
    Ok(())
}

/// Naive attention in f64, and by how much rounding may change it: absolutely, and relatively at the end.
///
/// A score is a sum of d products, at most ‖q‖ · ‖k‖ · scale in size; its roundings walk at random: √d of them. A
/// weight is off by as much, relatively, plus 8 for softcap and exponential; sums of n weights add √n. All this, in
/// units of the epsilon, multiplies the largest value.
fn expected(
    batch: &Batch,
    [q, k, v]: &[Tensor; 3],
    options: &SdpaOptions,
) -> Result<(Vec<f64>, [f64; 2])> {
    let [q, k, v] = [q.to_dtype(DType::F64)?, k.to_dtype(DType::F64)?, v.to_dtype(DType::F64)?];
    let out = numbers(&naive::attention(&q, &k, &v, options)?)?;
    let scale = options.scale.unwrap_or(1. / (batch.dim.max(1) as f64).sqrt()).abs();
    let (size, keys) = (norm(&q)? * norm(&k)? * scale, k.dim(2)? as f64);
    let slack = (batch.dim as f64).sqrt() * size + 8. + keys.sqrt();
    let largest = numbers(&v)?.into_iter().fold(0., |a: f64, b| a.max(b.abs()));
    let (inner, outer) = match batch.dtype {
        DType::F64 => (f64::EPSILON, 0.),
        DType::F32 => (f32::EPSILON.into(), 0.),
        DType::F16 => (f32::EPSILON.into(), 2f64.powi(-11)),
        _ => (f32::EPSILON.into(), 2f64.powi(-8)), // bf16
    };
    // The smallest numbers of f16 are 2⁻²⁴ apart.
    let least = if outer > 0. { 2f64.powi(-25) } else { 0. };
    Ok((out, [inner * slack * largest + least, outer]))
}
