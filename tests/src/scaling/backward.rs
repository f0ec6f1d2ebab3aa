//! What the backward pass of softmax must hold.

use super::{Binary, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, matrix, row},
        compare::{refused, rounding, same},
        show::inputs,
        why,
    },
    wrong,
};
use candle_core::{Device, Result, Tensor};

pub(super) fn zoo() -> Vec<Proof> {
    backward_laws().proofs()
}

/// Checks the backward pass of softmax: weights and the gradient with respect to them → that with respect to the logits.
pub fn softmax_backward(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    backward_laws().judge(&answer)
}

fn backward_laws() -> Check<Binary> {
    let law = |f: &Binary, weights: Tensor, grad: Tensor, expected: Tensor, rounding| {
        let given = inputs(&[("weights", &weights), ("grad", &grad)]);
        same(&given, f(&weights, &grad), &expected, rounding)
    };
    Check::new("scaling::softmax_backward", wrong::scaling::softmax_backward())
        .law(
            Implementation,
            "w ∘ (g − Σ w g): the row's weighted mean gradient is subtracted first",
            move |f| {
                // The weighted mean is 0.25.
                let expected = row(&[0.1875, -0.1875])?;
                law(f, row(&[0.25, 0.75])?, row(&[1., 0.])?, expected, rounding(4))
            },
        )
        .law(Implementation, "each row has a mean of its own", move |f| {
            // Weighted means 0.75 and 1.5.
            let weights = matrix(&[[0.5, 0.25, 0.25], [0.25, 0.75, 0.]])?;
            let grad = matrix(&[[1., 0., 1.], [0., 2., 4.]])?;
            let expected = matrix(&[[0.125, -0.1875, 0.0625], [-0.375, 0.375, 0.]])?;
            law(f, weights, grad, expected, rounding(4))
        })
        .law(Weights, "a gradient that is the same for all weights moves no logit", move |f| {
            // The weights sum to 1 ± 2 roundings; times a gradient of 5, with three roundings of products of size 5.
            let expected = row(&[0., 0., 0.])?;
            law(f, row(&[0.1, 0.2, 0.7])?, row(&[5., 5., 5.])?, expected, rounding(25))
        })
        .law(Gradients, "equals PyTorch's gradient over (batch, heads, seq_q, seq_k)", move |f| {
            let fixtures = pytorch()?;
            let [weights, grad, expected] = ["weights", "grad", "logits_grad"]
                .map(|part| fixtures.get(&format!("softmax.{part}")));
            // Σ w g has 5 products of size 3, each with two roundings; the rest is three operations.
            law(f, weights?, grad?, expected?, rounding(33))
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out, to f64's precision", move |f| {
            // The gradients differ by 1e-12, which f32 does not see.
            let f64s = |values: [f64; 2]| Tensor::new(&values, &Device::Cpu);
            let expected = f64s([-2.5e-13, 2.5e-13])?;
            law(f, f64s([0.5, 0.5])?, f64s([1., 1. + 1e-12])?, expected, rounding(4))
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            HALF.iter().try_for_each(|&half| {
                let half = |values: &[f32]| row(values)?.to_dtype(half);
                let expected = half(&[0.1875, -0.1875])?;
                law(f, half(&[0.25, 0.75])?, half(&[1., 0.])?, expected, rounding(4))
            })
        })
        .law(Edges(why::REFUSED), "weights and gradient of different shapes are an error", |f| {
            let (one, two) = (row(&[0.25, 0.75])?, matrix(&[[1., 0.], [0., 1.]])?);
            for (weights, grad, why) in [
                (&one, &two, "two rows of gradients, one of weights"),
                (&two, &one, "two rows of weights, one of gradients"),
            ] {
                let given = inputs(&[("weights", weights), ("grad", grad)]);
                refused(&given, why, f(weights, grad))?;
            }
            Ok(())
        })
}
