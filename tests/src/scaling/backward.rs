//! What the backward pass of softmax must hold.

use super::{Binary, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Gradients, Implementation, Weights},
        cases::{matrix, row},
        compare::{rounding, same},
        show::inputs,
    },
    wrong,
};
use candle_core::{Result, Tensor};

pub(super) fn zoo() -> Vec<Proof> {
    backward_laws().proofs()
}

/// Checks the backward pass of softmax: weights, gradient by the weights → gradient by the logits.
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
}
