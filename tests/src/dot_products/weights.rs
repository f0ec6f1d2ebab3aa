//! What the weights of scores must hold.

use super::{ones, pytorch, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, matrix, row},
        compare::{rounding, same, value},
        gradient::gradients_agree,
        show, why,
    },
    wrong,
};
use candle_core::{D, DType, Result, Tensor};

/// `naive_softmax`: scores to weights.
pub(crate) type Normalise = dyn Fn(&Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    naive_softmax_laws().proofs()
}

/// Checks exp over its sum: scores to positive weights that sum to one. Large scores may overflow.
pub fn naive_softmax(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    naive_softmax_laws().judge(&answer)
}

fn naive_softmax_laws() -> Check<Normalise> {
    let law = |f: &Normalise, scores: &Tensor, expected: &Tensor, units| {
        same(&show::inputs(&[("scores", scores)]), f(scores), expected, rounding(units))
    };
    Check::new("dot_products::naive_softmax", wrong::dot_products::naive_softmax())
        .law(
            Implementation,
            "weights are proportional to the exponentials of the scores",
            // Exponentials 1, 2, 5.
            move |f| law(f, &row(&[0., 2f32.ln(), 5f32.ln()])?, &row(&[0.125, 0.25, 0.625])?, 4),
        )
        .law(Implementation, "each row has its own sum, along the last dimension", move |f| {
            let scores = matrix(&[[0., 0.], [3f32.ln(), 0.]])?;
            law(f, &scores, &matrix(&[[0.5, 0.5], [0.75, 0.25]])?, 4)
        })
        .law(Weights, "equal scores get equal weights, negative ones too", move |f| {
            law(f, &row(&[-2., -2., -2., -2.])?, &row(&[0.25; 4])?, 4)
        })
        .property(
            Weights,
            "each row sums to 1",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let scores = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = format!(
                    "{}\nlooked at: the sum of each row",
                    show::inputs(&[("scores", &scores)])
                );
                let sums = f(&scores).and_then(|weights| weights.sum(D::Minus1));
                // A logarithm of the sum, of size ≤ 16, is rounded to 8 · ε, and so is a score less it: exp(x − ln Σ exp)
                // is a right answer, too.
                same(&given, sums, &ones(&[rows], DType::F32)?, rounding(n + 16))
            },
        )
        .property(
            Weights,
            "every weight is positive, even that of a negative score",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let scores = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = show::inputs(&[("scores", &scores)]);
                let weights = value(&given, f(&scores))?;
                match show::values(&weights)?.iter().all(|&weight| weight > 0.) {
                    true => Ok(()),
                    false => Err(Breach::text(&given, "weights above 0", &show::tensor(&weights))),
                }
            },
        )
        .property(
            Weights,
            "adding the same number to every score of a row changes nothing",
            (2..6usize, -20f32..20f32, 0..1000u64),
            move |f, (n, shift, seed)| {
                let scores = seeded::normal(seed, (1, n))?;
                let expected = value(&show::inputs(&[("scores", &scores)]), f(&scores))?;
                // A moved score of size ≤ 32 is rounded to 8 · ε, and so are its exponential or the logarithm of their sum.
                law(f, &(&scores + f64::from(shift))?, &expected, 40)
            },
        )
        .law(Implementation, "equals PyTorch's over (batch, heads, seq_q, seq_k)", move |f| {
            let fixtures = pytorch()?;
            law(f, &fixtures.get("softmax.scores")?, &fixtures.get("softmax.weights")?, 12)
        })
        .law(
            Implementation,
            "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
            move |f| {
                let scores = (ones(&[1, 3], DType::F64)? * 2.)?;
                law(f, &scores, &(ones(&[1, 3], DType::F64)? / 3.)?, 4)
            },
        )
        .law(Gradients, "the gradient reaches the scores and is right", |f| {
            let scores = seeded::normal(6, (2, 4))?;
            gradients_agree(&[("scores", &scores)], |inputs| f(&inputs[0]))
        })
        .law(Edges(why::ONE), "a single score gets the whole weight", move |f| {
            law(f, &matrix(&[[-3.], [7.]])?, &matrix(&[[1.], [1.]])?, 4)
        })
        .law(Edges(why::EMPTY), "no rows give no rows: (0, 3) in, (0, 3) out", move |f| {
            law(f, &zeros(&[0, 3])?, &zeros(&[0, 3])?, 1)
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            HALF.iter().try_for_each(|&half| {
                let scores = row(&[0., 2f32.ln(), 5f32.ln()])?.to_dtype(half)?;
                let expected = row(&[0.125, 0.25, 0.625])?.to_dtype(half)?;
                // ln 5 is rounded, its exponential, the sum, the quotient.
                law(f, &scores, &expected, 8)
            })
        })
}
