//! What log-sum-exp, softmax and softmax with a temperature must hold.

use super::{Unary, gives, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, matrix, row},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show::{inputs, remember, tensor, values},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};
use std::f32::consts::LN_2;

/// Rounding errors that weights of logits up to 10,000 may carry: such a logit is known to 10,000 · ε / 2 only, so that
/// exp(x − ln Σ exp), which subtracts a number of that size, is as right as the quotient.
const LARGE: usize = 10_000;

/// Why rows without logits are refused.
const NO_LOGITS: &str = "a row with nothing to choose from comes from an earlier mistake, such as a wrong slice or an empty cache; an error shows it, a value passes it on.";

/// `softmax_with_temperature`: logits and a temperature.
pub(crate) type WithTemperature = dyn Fn(&Tensor, f64) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [log_sum_exp_laws().proofs(), softmax_laws().proofs(), temperature_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks ln Σ exp over the last dimension: `(…, n)` → `(…, 1)`.
pub fn log_sum_exp(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    log_sum_exp_laws().judge(&answer)
}

fn log_sum_exp_laws() -> Check<Unary> {
    Check::new("scaling::log_sum_exp", wrong::scaling::log_sum_exp())
        .law(Implementation, "the logarithm of the sum of the exponentials", |f| {
            let logits = row(&[0., LN_2, 5f32.ln()])?; // ln(1 + 2 + 5)
            gives(f, "logits", logits, row(&[8f32.ln()])?, rounding(4))
        })
        .law(Implementation, "each row on its own; the last dimension is kept, with size 1", |f| {
            let logits = matrix(&[[0., 0.], [LN_2, LN_2], [0., 3f32.ln()]])?;
            gives(f, "logits", logits, matrix(&[[LN_2], [2. * LN_2], [2. * LN_2]])?, rounding(4))
        })
        .law(Implementation, "large logits do not overflow: the largest one dominates", |f| {
            gives(f, "logits", matrix(&[[1000., 0.]])?, matrix(&[[1000.]])?, rounding(2))
        })
        .law(Implementation, "very negative logits do not underflow to ln 0", |f| {
            let expected = matrix(&[[-1000. + LN_2]])?;
            gives(f, "logits", matrix(&[[-1000., -1000.]])?, expected, rounding(2))
        })
        .law(Implementation, "rows of very different size do not disturb each other", |f| {
            let logits = matrix(&[[1000., 0.], [-1000., -1000.]])?;
            gives(f, "logits", logits, matrix(&[[1000.], [-1000. + LN_2]])?, rounding(2))
        })
        .property(
            Implementation,
            "adding c to every logit adds c to the result",
            (1..6usize, -30f32..30f32, 0..1000u64),
            |f, (n, shift, seed)| {
                let logits = seeded::normal(seed, (2, n))?;
                let moved = (&logits + f64::from(shift))?;
                let given = inputs(&[("logits", &logits), ("logits + c", &moved)]);
                let expected = (value(&given, f(&logits))? + f64::from(shift))?;
                // One rounding per moved logit, one per exponential, one for the sum.
                same(&given, f(&moved), &expected, rounding(8))
            },
        )
        .law(Implementation, "equals PyTorch's logsumexp over (batch, heads, seq_q, seq_k)", |f| {
            let fixtures = pytorch()?;
            let expected = fixtures.get("softmax.log_sum_exp")?;
            // A sum of 5 exponentials and a logarithm.
            gives(f, "logits", fixtures.get("softmax.logits")?, expected, rounding(8))
        })
        .law(
            Implementation,
            "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
            |f| {
                // ln(1 + e^1e-12) is ln 2 + 5e-13, which f32 rounds to ln 2.
                let [logits, expected] = [vec![0., 1e-12], vec![std::f64::consts::LN_2 + 5e-13]]
                    .map(|values| Tensor::new(values, &Device::Cpu));
                gives(f, "logits", logits?, expected?, rounding(4))
            },
        )
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(3, (2, 4))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", |f| {
            HALF.iter().try_for_each(|&half| {
                let logits = matrix(&[[0., 0.], [1000., 0.]])?.to_dtype(half)?;
                gives(f, "logits", logits, matrix(&[[LN_2], [1000.]])?.to_dtype(half)?, rounding(2))
            })
        })
        .law(Edges(why::EMPTY), "no rows give no rows: (0, 3) in, (0, 1) out", |f| {
            let [rows, none] =
                [(0, 3), (0, 1)].map(|dims| Tensor::zeros(dims, DType::F32, &Device::Cpu));
            gives(f, "logits", rows?, none?, rounding(1))
        })
        .law(Edges(NO_LOGITS), "rows without logits are an error", |f| {
            let none = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
            refused(&inputs(&[("logits", &none)]), "an empty row has no maximum", f(&none))
        })
}

/// Checks a softmax over the last dimension.
pub fn softmax(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    softmax_laws().judge(&answer)
}

fn softmax_laws() -> Check<Unary> {
    Check::new("scaling::softmax", wrong::scaling::softmax())
        .law(Implementation, "weights are proportional to the exponentials of the logits", |f| {
            let logits = row(&[0., LN_2, 5f32.ln()])?; // exponentials 1, 2, 5
            gives(f, "logits", logits, row(&[0.125, 0.25, 0.625])?, rounding(4))
        })
        .law(Implementation, "each row is normalised on its own, along the last dimension", |f| {
            let logits = matrix(&[[0., 0., LN_2], [0., 3f32.ln(), 0.]])?;
            gives(f, "logits", logits, matrix(&[[0.25, 0.25, 0.5], [0.2, 0.6, 0.2]])?, rounding(4))
        })
        .law(
            Implementation,
            "large logits stay finite: exp(10000) overflows unless the maximum goes first",
            |f| gives(f, "logits", row(&[10_000., 0.])?, row(&[1., 0.])?, rounding(LARGE)),
        )
        .law(
            Implementation,
            "very negative logits stay finite: exp(−10000) is 0, and so would be the sum",
            |f| gives(f, "logits", row(&[-10_000.; 2])?, row(&[0.5; 2])?, rounding(LARGE)),
        )
        .law(Implementation, "rows of very different size do not disturb each other", |f| {
            let logits = matrix(&[[10_000., 0.], [-10_000., -10_000.]])?;
            gives(f, "logits", logits, matrix(&[[1., 0.], [0.5, 0.5]])?, rounding(LARGE))
        })
        .law(Implementation, "large logits that differ by 1 keep their difference", |f| {
            let expected = row(&[0.731_058_6, 0.268_941_42])?; // 1 / (1 + e⁻¹)
            gives(f, "logits", row(&[10_000., 9_999.])?, expected, rounding(LARGE))
        })
        .property(
            Weights,
            "each row sums to 1",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let logits = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = inputs(&[("logits", &logits)]);
                let sums = f(&logits).and_then(|weights| weights.sum(D::Minus1));
                let ones = Tensor::ones(rows, DType::F32, &Device::Cpu)?;
                // A logarithm of the sum, of size ≤ 16, is rounded to 8 · ε, and so is a logit less it: exp(x − ln Σ exp)
                // is a right answer, too.
                same(&format!("{given}\nlooked at: each row's sum"), sums, &ones, rounding(n + 16))
            },
        )
        .property(
            Weights,
            "adding the same number to every logit of a row changes nothing",
            (2..6usize, -30f32..30f32, 0..1000u64),
            |f, (n, shift, seed)| {
                let logits = seeded::normal(seed, (1, n))?;
                let moved = (&logits + f64::from(shift))?;
                let given = inputs(&[("logits", &logits), ("logits + c", &moved)]);
                let unmoved = value(&given, f(&logits))?;
                // A moved logit of size ≤ 64 is off by 16 · ε, the number subtracted from it (the maximum, or ln Σ exp) by
                // twice that at most, and a weight by as much as its logit.
                same(&given, f(&moved), &unmoved, rounding(64))
            },
        )
        .law(Implementation, "equals PyTorch's over (batch, heads, seq_q, seq_k)", |f| {
            let fixtures = pytorch()?;
            let expected = fixtures.get("softmax.weights")?;
            // Logits less their maximum (or ln Σ exp), of size ≤ 16, are off by 8 · ε on either side, a sum of 5 by 5.
            gives(f, "logits", fixtures.get("softmax.logits")?, expected, rounding(21))
        })
        .law(
            Implementation,
            "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
            |f| {
                // Weights ½ ∓ 2.5e-13, which f32 cannot tell from ½.
                let [logits, expected] = [[0., 1e-12], [0.5 - 2.5e-13, 0.5 + 2.5e-13]]
                    .map(|values: [f64; 2]| Tensor::new(&values, &Device::Cpu));
                gives(f, "logits", logits?, expected?, rounding(4))
            },
        )
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(4, (2, 4))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
        })
        .law(Edges(why::ONE), "a single logit gets the whole weight", |f| {
            gives(f, "logits", matrix(&[[-3.], [7.]])?, matrix(&[[1.], [1.]])?, rounding(1))
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out, and 1000 does not overflow", |f| {
            HALF.iter().try_for_each(|&half| {
                let logits = matrix(&[[0., 0.], [1000., 0.]])?.to_dtype(half)?;
                let expected = matrix(&[[0.5, 0.5], [1., 0.]])?.to_dtype(half)?;
                gives(f, "logits", logits, expected, rounding(4))
            })
        })
        .law(
            Edges(why::NOT_FINITE),
            "a logit of −∞ gets the weight 0 beside finite ones",
            |f| {
                let logits = row(&[0., f32::NEG_INFINITY, 0.])?;
                gives(f, "logits", logits, row(&[0.5, 0., 0.5])?, rounding(4))
            },
        )
        .law(Edges(why::NOT_FINITE), "a NaN makes its own row NaN, and no other", |f| {
            let logits = matrix(&[[0., f32::NAN], [0., 0.]])?;
            let given = inputs(&[("logits", &logits)]);
            let weights = value(&given, f(&logits))?;
            match values(&weights)?.as_slice() {
                [a, b, 0.5, 0.5] if a.is_nan() && b.is_nan() => Ok(()),
                _ => Err(Breach::text(&given, "[[NaN, NaN], [0.5, 0.5]]", &tensor(&weights))),
            }
        })
        .law(Edges(why::EMPTY), "no rows give no rows: (0, 3) in, (0, 3) out", |f| {
            let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?;
            gives(f, "logits", none.clone(), none, rounding(1))
        })
        .law(Edges(NO_LOGITS), "rows without logits are an error", |f| {
            let none = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
            refused(&inputs(&[("logits", &none)]), "an empty row has no softmax", f(&none))
        })
}

/// Checks a softmax with a temperature.
pub fn softmax_with_temperature(
    answer: impl Fn(&Tensor, f64) -> Result<Tensor> + 'static,
) -> Verdict {
    temperature_laws().judge(&answer)
}

fn temperature_laws() -> Check<WithTemperature> {
    let law = |f: &WithTemperature, temperature: f64, expected: [f32; 2]| {
        let logits = row(&[0., 4f32.ln()])?;
        let given =
            remember(format!("{}\ntemperature: {temperature}", inputs(&[("logits", &logits)])));
        // The exponent 2 ln 4 is off by up to 3 roundings, the weights by as many and their own.
        same(&given, f(&logits, temperature), &row(&expected)?, rounding(6))
    };
    Check::new("scaling::softmax_with_temperature", wrong::scaling::softmax_with_temperature())
        .law(Implementation, "temperature 1 is the plain softmax", move |f| law(f, 1., [0.2, 0.8]))
        .law(Implementation, "a higher temperature flattens: logits are divided by it", move |f| {
            law(f, 2., [1. / 3., 2. / 3.]) // ln 4 / 2 = ln 2
        })
        .law(Implementation, "a lower temperature sharpens", move |f| {
            law(f, 0.5, [1. / 17., 16. / 17.]) // 2 ln 4 = ln 16
        })
        .law(Implementation, "each row is normalised on its own", |f| {
            let logits = matrix(&[[0., 4f32.ln()], [0., 0.], [16f32.ln(), 0.]])?;
            let expected = matrix(&[[1. / 3., 2. / 3.], [0.5, 0.5], [0.8, 0.2]])?;
            let given = remember(format!("{}\ntemperature: 2", inputs(&[("logits", &logits)])));
            same(&given, f(&logits, 2.), &expected, rounding(6))
        })
        .law(
            Implementation,
            "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
            |f| {
                let of = |logits: &Tensor, temperature: f64, expected: [f64; 2]| {
                    let given = remember(format!(
                        "{}\ntemperature: {temperature}",
                        inputs(&[("logits", logits)])
                    ));
                    let expected = Tensor::new(&expected, &Device::Cpu)?;
                    same(&given, f(logits, temperature), &expected, rounding(8))
                };
                // Weights ½ ∓ 2.5e-13, which f32 cannot tell from ½.
                of(
                    &Tensor::new(&[0f64, 1e-12], &Device::Cpu)?,
                    1.,
                    [0.5 - 2.5e-13, 0.5 + 2.5e-13],
                )?;
                // 0.1 is not an f32: through one, ln 3 / 10 / 0.1 would be off by 1e-8.
                of(&Tensor::new(&[0., 3f64.ln() / 10.], &Device::Cpu)?, 0.1, [0.25, 0.75])
            },
        )
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(5, (2, 3))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0], 0.7))
        })
        .law(Edges(why::HUGE), "a temperature of 0.0001 does not overflow", move |f| {
            law(f, 1e-4, [0., 1.])
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", |f| {
            HALF.iter().try_for_each(|&half| {
                let logits = row(&[0., 4f32.ln()])?.to_dtype(half)?;
                let given = remember(format!("{}\ntemperature: 2", inputs(&[("logits", &logits)])));
                let expected = row(&[1. / 3., 2. / 3.])?.to_dtype(half)?;
                same(&given, f(&logits, 2.), &expected, rounding(4))
            })
        })
        .law(
            Edges("a setting of 0 or NaN turns every weight into NaN, and a negative one prefers the worst logit; an error names the setting before a run is lost."),
            "a temperature that is not a positive, finite number is an error",
            |f| {
                let logits = row(&[0., 1.])?;
                for temperature in [0., -1., f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let given = remember(format!("temperature: {temperature}"));
                    refused(
                        &given,
                        "temperature must be positive and finite",
                        f(&logits, temperature),
                    )?;
                }
                Ok(())
            },
        )
}
