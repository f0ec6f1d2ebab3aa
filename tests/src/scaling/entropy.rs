//! What the entropy of weights must hold.

use super::{Unary, gives};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, matrix, row},
        compare::{rounding, value},
        gradient::{gradient_is_finite, gradients_agree},
        show::inputs,
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, Var};
use std::f32::consts::LN_2;

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
        .law(
            Implementation,
            "a small weight counts in full, in f64 to f64's precision: (1 − 2⁻²⁰, 2⁻²⁰)",
            |f| {
                let small = 2f64.powi(-20);
                let weights = Tensor::new(&[1. - small, small], &Device::Cpu)?;
                let expected = -(1. - small) * (1. - small).ln() - small * small.ln();
                gives(f, "weights", weights, Tensor::new(expected, &Device::Cpu)?, rounding(8))
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
