//! Inputs that do not lie one row after the other.

use crate::agree::agrees;
use crate::batch::{Batch, bits, cumulative};
use candle_core::{DType, Result, Tensor};
use flash::{Causal, Path, SdpaOptions, ragged};

/// The same numbers with other strides: heads first, columns first, part of a row, part of the rows.
const WAYS: [fn(&Tensor) -> Result<Tensor>; 4] = [
    |x| x.transpose(0, 1)?.contiguous()?.transpose(0, 1),
    |x| x.transpose(1, 2)?.contiguous()?.transpose(1, 2),
    |x| Tensor::cat(&[x, x, x], 2)?.narrow(2, x.dim(2)?, x.dim(2)?),
    |x| Tensor::cat(&[x, x], 0)?.narrow(0, x.dim(0)?, x.dim(0)?),
];

#[test]
fn strides_change_nothing() -> Result<()> {
    let lens = [(20, 30), (0, 4), (1, 1), (70, 65), (3, 0), (7, 100)];
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let batch = Batch::new(&lens, [4, 2], [24, 40]).dtype(dtype);
        let ([q, k, v], sequences) = (batch.inputs(1)?, batch.ragged()?);
        for options in [SdpaOptions::default(), SdpaOptions::default().window(5, 8)] {
            for path in Path::available() {
                let on = |x: [&Tensor; 3]| {
                    bits(&ragged::attention_on(path, x[0], x[1], x[2], &sequences, &options)?.0)
                };
                let expected = on([&q, &k, &v])?;
                for turn in 0..WAYS.len() {
                    let [a, b, c] = [0, 1, 2].map(|at| WAYS[(turn + at) % WAYS.len()]);
                    let got = on([&a(&q)?, &b(&k)?, &c(&v)?])?;
                    assert_eq!(got, expected, "{dtype:?}, {path:?}, {turn}");
                }
            }
        }
    }
    Ok(())
}

/// As a model has them: one projection to queries, keys and values, not taken apart.
#[test]
fn a_fused_projection_needs_no_copies() -> Result<()> {
    let lens = [(20, 20), (1, 1), (70, 70)];
    let batch = Batch::new(&lens, [3, 3], [16, 16]);
    let fused = seeded::normal(5, (91, 9, 16))?;
    let inputs = [fused.narrow(1, 0, 3)?, fused.narrow(1, 3, 3)?, fused.narrow(1, 6, 3)?];
    agrees("fused", &batch, &inputs, &SdpaOptions::default().causal(Causal::BottomRight))
}

#[test]
fn one_row_for_all() -> Result<()> {
    let batch = Batch::new(&[(20, 30), (5, 66)], [2, 2], [16, 16]);
    let one = |x: Tensor| x.narrow(0, 0, 1)?.broadcast_as(x.shape());
    let [q, k, v] = batch.inputs(6)?;
    agrees("strides of 0", &batch, &[one(q)?, one(k)?, one(v)?], &SdpaOptions::default())
}

#[test]
fn cumulative_lengths_may_be_strided() -> Result<()> {
    let (every, plain) = (cumulative(&[0, 9, 2, 9, 5, 9])?, cumulative(&[0, 2, 5])?);
    let every = every.reshape((3, 2))?.narrow(1, 0, 1)?.squeeze(1)?;
    assert_eq!(ragged::Ragged::new(&every, &plain)?, ragged::Ragged::new(&plain, &plain)?);
    Ok(())
}
