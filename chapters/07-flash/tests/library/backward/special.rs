//! Very large logits, NaN and ±∞.

use super::reference::{agrees, kernel};
use crate::options::{ALL, inputs, numbers, options};
use candle_core::{DType, Result, Tensor};
use flash::{Causal, Path, SdpaOptions};

#[test]
fn large_logits() -> Result<()> {
    for factor in [10., 1e2, 1e4] {
        let [q, k, v] = inputs(5, [1, 2, 1, 40, 150, 16, 16], DType::F32)?;
        for number in 0..ALL {
            let inputs = [(&q * factor)?, k.clone(), v.clone()];
            agrees(&format!("{factor}, {number}"), &inputs, &options(number, 2, 40, 150)?)?;
        }
    }
    Ok(())
}

/// Rounding then is as large as the differences between scores, but a weight is 1 at most.
#[test]
fn absurd_logits_stay_finite() -> Result<()> {
    for factor in [1e8, 1e12, 1e25] {
        let [q, k, v] = inputs(5, [1, 2, 1, 40, 150, 16, 16], DType::F32)?;
        let grad = seeded::normal(4, (1, 2, 40, 16))?;
        for number in 0..ALL {
            for path in Path::available() {
                let (options, inputs) =
                    (options(number, 2, 40, 150)?, [(&q * factor)?, k.clone(), v.clone()]);
                for gradient in kernel(path, &inputs, &grad, &options)? {
                    let all = numbers(&gradient)?;
                    assert!(all.iter().all(|x| x.is_finite()), "{factor}, {number}, {path:?}");
                }
            }
        }
    }
    Ok(())
}

/// `x` with number `at` replaced.
fn with(x: &Tensor, at: usize, number: f32) -> Result<Tensor> {
    let mut numbers: Vec<f32> = x.flatten_all()?.to_vec1()?;
    numbers[at] = number;
    Tensor::from_vec(numbers, x.shape(), x.device())
}

const KEYS: usize = 150;

/// What one number of q, k, v or dO that is NaN or infinite reaches, by the formulas: rows of dq, dk and dv that are then
/// not all finite. Other heads stay as they are.
#[test]
fn what_is_not_finite_spreads_to_what_depends_on_it_and_to_no_other_head() -> Result<()> {
    let [q, k, v] = inputs(5, [1, 2, 2, 40, KEYS, 16, 16], DType::F32)?;
    let all = [q, k, v, seeded::normal(4, (1, 2, 40, 16))?];
    let options = SdpaOptions::default().causal(Causal::BottomRight); // query i sees keys 0 ..= i + 110
    for which in 0..4 {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for row in [0, 20, 39] {
                let mut all = all.clone();
                all[which] = with(&all[which], row * 16 + 3, number)?;
                let [q, k, v, grad] = all;
                for path in Path::available() {
                    let got = kernel(path, &[q.clone(), k.clone(), v.clone()], &grad, &options)?;
                    let rows: Vec<Vec<bool>> = got.iter().map(bad_rows).collect::<Result<_>>()?;
                    let case = format!("{which}, {number}, {row}, {path:?}");
                    for (rows, len) in rows.iter().zip([40, KEYS, KEYS]) {
                        assert!(rows[len..].iter().all(|bad| !bad), "{case}: another head");
                    }
                    let (dq, dk, dv) = (&rows[0], &rows[1], &rows[2]);
                    match which {
                        // A query: its own row, and all keys that it sees.
                        0 if number.is_nan() => {
                            assert!(dq[row] && dk[..=row + 110].iter().all(|bad| *bad), "{case}");
                            assert!(dv[..=row + 110].iter().all(|bad| *bad), "{case}");
                        }
                        // A key: all queries that see it, here all of them, and by these all keys.
                        1 if number.is_nan() => {
                            assert!(
                                [dq, dk, dv].iter().all(|rows| rows[..40].iter().all(|bad| *bad)),
                                "{case}"
                            );
                        }
                        // A value: the slopes of all queries, but no weight.
                        2 => {
                            assert!(dq[..40].iter().chain(&dk[..KEYS]).all(|bad| *bad), "{case}");
                            assert!(dv[..KEYS].iter().all(|bad| !bad), "{case}");
                        }
                        // The gradient of a row: as the row.
                        3 => {
                            assert!(dq[row] && dk[..=row + 110].iter().all(|bad| *bad), "{case}");
                            assert!(dv[..=row + 110].iter().all(|bad| *bad), "{case}");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    Ok(())
}

/// For each row of 16 numbers whether one of them is not finite.
fn bad_rows(x: &Tensor) -> Result<Vec<bool>> {
    Ok(numbers(x)?.chunks(16).map(|row| row.iter().any(|x| !x.is_finite())).collect())
}
