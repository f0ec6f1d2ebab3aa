//! What the entropy of weights must hold.

use super::{Unary, gives};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, matrix, row},
        compare::{rounding, same, value},
        gradient::{gradient_is_finite, gradients_agree},
        show::inputs,
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, Var};
use std::f32::consts::LN_2;

/// Why small weights matter.
const SMALL: &str = "over thousands of keys most weights are tiny; together they are a good part of the entropy, and a floor or a constant inside the logarithm cuts it off.";

/// The weights (1 − small, small), and their entropy, in f64.
fn spike(small: f64) -> Result<[Tensor; 2]> {
    let entropy = -(1. - small) * (-small).ln_1p() - small * small.ln();
    Ok([Tensor::new(&[1. - small, small], &Device::Cpu)?, Tensor::new(entropy, &Device::Cpu)?])
}

pub(super) fn zoo() -> Vec<Proof> {
    entropy_laws().proofs()
}

/// Checks the entropy of weights in nats: `(…, n)` → `(…)`.
pub fn entropy(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    entropy_laws().judge(&answer)
}

fn entropy_laws() -> Check<Unary> {
    Check::new("scaling::entropy", wrong::scaling::entropy())
        .law(Implementation, "two equal weights have an entropy of ln 2 = 0.6931", |f| {
            gives(f, "weights", matrix(&[[0.5, 0.5]])?, row(&[LN_2])?, rounding(2))
        })
        .law(Implementation, "each row on its own, summed over the last dimension", |f| {
            let weights = matrix(&[[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.125, 0.125]])?;
            gives(f, "weights", weights, row(&[2. * LN_2, 1.75 * LN_2])?, rounding(8))
        })
        .law(
            Implementation,
            "any number of leading dimensions: (n) gives a scalar, (a, b, n) gives (a, b)",
            |f| {
                let flat = row(&[0.5, 0.5])?;
                gives(f, "weights", flat.clone(), Tensor::new(LN_2, &Device::Cpu)?, rounding(2))?;
                let expected = Tensor::full(LN_2, (2, 1), &Device::Cpu)?;
                let weights = flat.broadcast_as((2, 1, 2))?.contiguous()?;
                gives(f, "weights", weights, expected, rounding(2))
            },
        )
        .law(Weights, "a weight of 0 adds nothing: 0 · ln 0 counts as 0, not NaN", |f| {
            let weights = matrix(&[[1., 0., 0.], [0., 0.5, 0.5]])?;
            gives(f, "weights", weights, row(&[0., LN_2])?, rounding(2))
        })
        .law(Implementation, "a small weight counts: (1 − 2⁻²⁰, 2⁻²⁰)", |f| {
            // In f32, where it hides what is far below 2⁻²⁰; the edges see that in f64.
            let [weights, expected] = spike(2f64.powi(-20))?.map(|x| x.to_dtype(DType::F32));
            gives(f, "weights", weights?, expected?, rounding(4))
        })
        .law(
            Implementation,
            "f64 in, f64 out: 1e-9 more for ¼ and less for ¾ is 1e-9 · ln 3 more entropy (gradients are compared in f64)",
            |f| {
                // f32 takes the two rows for equal.
                let weights = [[0.25, 0.75], [0.25 + 1e-9, 0.75 - 1e-9]];
                let weights = Tensor::new(&weights, &Device::Cpu)?;
                let given = format!("{}\nlooked at: the difference", inputs(&[("weights", &weights)]));
                let difference = f(&weights).and_then(|both| both.get(1)? - both.get(0)?);
                let expected = Tensor::new(1e-9 * 3f64.ln(), &Device::Cpu)?;
                // Two entropies below 1, with five roundings each.
                same(&given, difference, &expected, rounding(10))
            },
        )
        .property(Weights, "n equal weights have an entropy of ln n", 1..40usize, |f, n| {
            let weights = (Tensor::ones((1, n), DType::F32, &Device::Cpu)? / n as f64)?;
            gives(f, "weights", weights, row(&[(n as f32).ln()])?, rounding(n + 4))
        })
        .law(Gradients, "the gradient reaches the weights and is right", |f| {
            let weights = matrix(&[[0.2, 0.3, 0.5]])?;
            gradients_agree(&[("weights", &weights)], |inputs| f(&inputs[0]))
        })
        .law(
            Edges("a sharp softmax gives weights of exactly 0; one NaN in their gradient spreads to every weight of the model at the next step."),
            "the gradient is finite even at a weight of 0",
            |f| {
                let weights = Var::from_tensor(&matrix(&[[0., 0.5, 0.5]])?)?;
                let given = inputs(&[("weights", &weights)]);
                gradient_is_finite(&given, "weights", &weights, &value(&given, f(&weights))?)
            },
        )
        .law(
            Edges(SMALL),
            "small weights count in full, to f64's precision: (1 − 2⁻²⁰, 2⁻²⁰) and (1 − 2⁻⁴⁰, 2⁻⁴⁰)",
            |f| {
                [-20, -40].iter().try_for_each(|&power| {
                    let [weights, expected] = spike(2f64.powi(power))?;
                    gives(f, "weights", weights, expected, rounding(8))
                })
            },
        )
        .law(
            Edges(SMALL),
            "the gradient with respect to a weight w is −ln w − 1, also at 2⁻⁴⁰ in f64",
            |f| {
                let [weights, _] = spike(2f64.powi(-40))?;
                let weights = Var::from_tensor(&weights)?;
                let given = inputs(&[("weights", &weights)]);
                let output = value(&given, f(&weights))?;
                gradient_is_finite(&given, "weights", &weights, &output)?;
                let grads = output.sum_all()?.backward()?;
                let grad = grads.get(&weights).map_or_else(|| weights.zeros_like(), |x| Ok(x.clone()));
                let expected = weights.log()?.affine(-1., -1.)?;
                let given = format!("{given}\nlooked at: the gradient with respect to `weights`");
                same(&given, grad, &expected, rounding(8))
            },
        )
        .law(
            Edges(why::HALF),
            "f16 and bf16 in, the same out, and a weight of 0 still adds nothing",
            |f| {
                HALF.iter().try_for_each(|&half| {
                    let weights = matrix(&[[1., 0., 0.], [0., 0.5, 0.5]])?.to_dtype(half)?;
                    gives(f, "weights", weights, row(&[0., LN_2])?.to_dtype(half)?, rounding(2))
                })
            },
        )
        .law(Edges(why::EMPTY), "no rows give no entropies: (0, 3) in, (0) out", |f| {
            let [rows, none] =
                [vec![0, 3], vec![0]].map(|dims| Tensor::zeros(dims, DType::F32, &Device::Cpu));
            gives(f, "weights", rows?, none?, rounding(1))
        })
}
