//! NaN, ±∞ and very large logits: as in the definition.

use super::reference::agrees;
use crate::options::{ALL, inputs, numbers, options};
use candle_core::{DType, Result, Tensor};
use flash::{Path, SdpaOptions, flash_attention_on, naive};

/// `x` with one number replaced.
fn with(x: &Tensor, at: usize, number: f32) -> Result<Tensor> {
    let mut numbers: Vec<f32> = x.flatten_all()?.to_vec1()?;
    numbers[at] = number;
    Tensor::from_vec(numbers, x.shape(), x.device())
}

#[test]
fn large_logits_stay_finite() -> Result<()> {
    for factor in [10., 100., 1e4, 1e8] {
        let [q, k, v] = inputs(5, [1, 2, 1, 40, 150, 16, 16], DType::F32)?;
        for number in 0..ALL {
            let options = options(number, 2, 40, 150)?;
            agrees(&format!("{factor}, {number}"), &(&q * factor)?, &k, &v, &options)?;
        }
    }
    Ok(())
}

#[test]
fn growing_and_falling_logits_rescale() -> Result<()> {
    let [q, _, v] = inputs(6, [1, 1, 1, 12, 400, 4, 20], DType::F32)?;
    for slope in [-3., -0.3, -0.01, 0.01, 0.3, 3.] {
        let k: Vec<f32> = (0..400).flat_map(|key| [slope * key as f32, 0., 1., 0.]).collect();
        let k = Tensor::from_vec(k, (1, 1, 400, 4), q.device())?;
        agrees(&format!("slope {slope}"), &q, &k, &v, &SdpaOptions::default())?;
        let causal = SdpaOptions::default().causal(flash::Causal::BottomRight);
        agrees(&format!("slope {slope}, causal"), &q, &k, &v, &causal)?;
    }
    Ok(())
}

#[test]
fn scores_of_minus_infinity_give_zeros() -> Result<()> {
    let [q, k, v] = inputs(5, [1, 2, 1, 40, 150, 16, 16], DType::F32)?;
    let bias = (Tensor::ones((40, 150), DType::F32, q.device())? * f64::NEG_INFINITY)?;
    let keep = Tensor::zeros((40, 1), DType::U8, q.device())?;
    for options in [SdpaOptions::default().bias(bias), SdpaOptions::default().keep(keep)] {
        agrees("nothing to see", &q, &k, &v, &options)?;
        for path in Path::available() {
            let (out, lse) = flash_attention_on(path, &q, &k, &v, &options)?;
            assert!(numbers(&out)?.iter().all(|x| *x == 0.));
            assert!(numbers(&lse)?.iter().all(|x| *x == f64::NEG_INFINITY));
        }
    }
    Ok(())
}

/// NaN where the naive version has NaN, and nowhere else.
#[test]
fn what_is_not_finite_spreads_as_in_the_naive_version() -> Result<()> {
    let sizes = [1, 2, 1, 40, 150, 16, 16];
    let inputs = inputs(5, sizes, DType::F32)?;
    for which in 0..3 {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 16 * 20 + 3, 16 * 39 + 15] {
                let mut inputs = inputs.clone();
                inputs[which] = with(&inputs[which], at, number)?;
                let [q, k, v] = inputs;
                for option in 0..ALL {
                    let options = options(option, 2, 40, 150)?;
                    let expected = numbers(&naive::attention(&q, &k, &v, &options)?)?;
                    for path in Path::available() {
                        let (out, lse) = flash_attention_on(path, &q, &k, &v, &options)?;
                        let lse = numbers(&lse)?;
                        for (at, (got, want)) in numbers(&out)?.iter().zip(&expected).enumerate() {
                            if lse[at / 16] == f64::NEG_INFINITY {
                                assert_eq!(*got, 0., "nothing to see");
                                continue;
                            }
                            let case = format!("{which} {number} {at} {option} {path:?}");
                            let same = if want.is_nan() {
                                got.is_nan()
                            } else {
                                got == want || (got - want).abs() < 1e-5
                            };
                            assert!(same, "{case}: got {got}, expected {want}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
