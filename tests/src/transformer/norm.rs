//! What layer norm must hold.

use super::parts::pytorch;
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        cases::{matrix, row},
        compare::{Rounding, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, Var};

/// `layer_norm`: `x`, `weight`, `bias`, `eps`.
pub type LayerNorm = dyn Fn(&Tensor, &Tensor, &Tensor, f64) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    norm_laws().proofs()
}

/// Checks `layer_norm`: each token's numbers to mean 0 and variance 1, then scaled and shifted.
pub fn layer_norm(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, f64) -> Result<Tensor> + 'static,
) -> Verdict {
    norm_laws().judge(&answer)
}

fn given([x, weight, bias]: [&Tensor; 3], eps: f64) -> String {
    let named = inputs(&[("x", x), ("weight", weight), ("bias", bias)]);
    remember(format!("{named}\neps: {eps}"))
}

fn law(
    f: &LayerNorm,
    [x, weight, bias]: [&Tensor; 3],
    eps: f64,
    expected: &Tensor,
    allowed: Rounding,
) -> Outcome {
    same(&given([x, weight, bias], eps), f(x, weight, bias, eps), expected, allowed)
}

/// A weight of 1 and a bias of 0 for each number.
fn plain(dim: usize) -> Result<[Tensor; 2]> {
    let ones = Tensor::ones(dim, DType::F32, &Device::Cpu)?;
    Ok([ones.clone(), ones.zeros_like()?])
}

/// With a weight of 1 and a bias of 0; small whole numbers, so a few roundings of the root and the quotient.
fn plain_law<const M: usize, const N: usize>(
    f: &LayerNorm,
    x: &[[f32; N]; M],
    eps: f64,
    expected: &[[f32; N]; M],
) -> Outcome {
    let [weight, bias] = plain(N)?;
    law(f, [&matrix(x)?, &weight, &bias], eps, &matrix(expected)?, rounding(4))
}

/// Token by token, in f64.
fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (weight, bias) = (show::values(weight)?, show::values(bias)?);
    let dim = weight.len();
    let mut normal = Vec::with_capacity(x.elem_count());
    for token in show::values(x)?.chunks(dim) {
        let mean = token.iter().sum::<f64>() / dim as f64;
        let variance = token.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / dim as f64;
        normal.extend(
            (0..dim).map(|at| (token[at] - mean) / (variance + eps).sqrt() * weight[at] + bias[at]),
        );
    }
    Tensor::from_vec(normal, x.shape(), x.device())?.to_dtype(x.dtype())
}

fn norm_laws() -> Check<LayerNorm> {
    edges(gradients(values(Check::new(
        "transformer::layer_norm",
        wrong::transformer::layer_norm(),
    ))))
}

fn values(check: Check<LayerNorm>) -> Check<LayerNorm> {
    check
        .law(
            Implementation,
            "1 and 3 have mean 2 and variance 1: they become −1 and 1",
            |f| plain_law(f, &[[1., 3.]], 0., &[[-1., 1.]]),
        )
        .law(Implementation, "each token is normed by its own mean and variance", |f| {
            plain_law(f, &[[1., 3.], [10., 30.]], 0., &[[-1., 1.], [-1., 1.]])
        })
        .law(
            Implementation,
            "eps is added to the variance, under the root: with eps 3, 1 and 3 are divided by √(1 + 3)",
            |f| plain_law(f, &[[1., 3.]], 3., &[[-0.5, 0.5]]),
        )
        .law(
            Implementation,
            "the normed numbers are multiplied by the weight, then the bias is added",
            |f| {
                let (weight, bias) = (row(&[2., 3.])?, row(&[10., 20.])?);
                law(f, [&matrix(&[[1., 3.]])?, &weight, &bias], 0., &matrix(&[[8., 23.]])?, rounding(4))
            },
        )
        .law(Implementation, "equals torch.nn.functional.layer_norm", |f| {
            let fixtures = pytorch()?;
            let get = |name: &str| fixtures.get(&format!("norm.{name}"));
            let (x, weight, bias) = (get("x")?, get("weight")?, get("bias")?);
            // Two sums of 8, a root, a quotient, a product and a sum.
            law(f, [&x, &weight, &bias], 1e-5, &get("output")?, rounding(24))
        })
        .property(
            Implementation,
            "every token on its own, in any shape",
            (1..3usize, 1..4usize, 1..9usize, 0..1000u64),
            |f, (batch, seq, dim, seed)| {
                let x = seeded::normal(seed, (batch, seq, dim))?;
                let (weight, bias) = (seeded::normal(seed + 1, dim)?, seeded::normal(seed + 2, dim)?);
                // eps ½ keeps the divisor above 0.7. Then a mean of `dim` numbers below 5 is off by 2.5·dim units at
                // most, and so are the numbers without it.
                let expected = reference(&x, &weight, &bias, 0.5)?;
                law(f, [&x, &weight, &bias], 0.5, &expected, rounding(8 * dim + 16))
            },
        )
        .law(
            Implementation,
            "what all numbers of a token share does not matter: 4095 and 4097 become −1 and 1 as well",
            |f| plain_law(f, &[[4095., 4097.]], 0., &[[-1., 1.]]),
        )
        .law(Implementation, "f64 in, f64 out, with the precision of f64 (gradients are compared in f64)", |f| {
            let x = seeded::normal(5, (2, 3))?.to_dtype(DType::F64)?;
            let [weight, bias] = plain(3)?;
            let (weight, bias) = (weight.to_dtype(DType::F64)?, bias.to_dtype(DType::F64)?);
            let expected = reference(&x, &weight, &bias, 0.5)?;
            law(f, [&x, &weight, &bias], 0.5, &expected, rounding(40))
        })
}

fn gradients(check: Check<LayerNorm>) -> Check<LayerNorm> {
    check
        .law(
            Gradients,
            "gradients reach x, weight and bias, and agree with finite differences",
            |f| {
                let (x, weight) = (seeded::normal(1, (2, 2, 3))?, seeded::normal(2, 3)?);
                let bias = seeded::normal(3, 3)?;
                gradients_agree(&[("x", &x), ("weight", &weight), ("bias", &bias)], |inputs| {
                    f(&inputs[0], &inputs[1], &inputs[2], 1e-1)
                })
            },
        )
        .law(Gradients, "gradients are PyTorch's", |f| {
            let fixtures = pytorch()?;
            let get = |name: &str| fixtures.get(&format!("norm.{name}"));
            let names = ["x", "weight", "bias"];
            let vars = names
                .iter()
                .map(|name| Var::from_tensor(&get(name)?))
                .collect::<Result<Vec<_>>>()?;
            let [x, weight, bias] = [0, 1, 2].map(|at| vars[at].as_tensor());
            let given = given([x, weight, bias], 1e-5);
            let output = value(&given, f(x, weight, bias, 1e-5))?;
            let grads = (output * get("grad")?)?.sum_all()?.backward()?;
            for (name, var) in names.iter().zip(&vars) {
                let about = format!("looked at: the gradient of {name}\n{given}");
                let Some(grad) = grads.get(var) else {
                    return Err(Breach::text(
                        &about,
                        "a gradient",
                        "none: backward() finds no way to it",
                    ));
                };
                // The way back through both sums, and a sum over 6 tokens.
                same(&about, Ok(grad.clone()), &get(&format!("grad.{name}"))?, rounding(64))?;
            }
            Ok(())
        })
}

fn edges(check: Check<LayerNorm>) -> Check<LayerNorm> {
    check
        .law(
            Edges("padding, a dead ReLU or a fresh bias gives tokens whose numbers are all equal; 0 / 0 is NaN, and it spreads to every token."),
            "equal numbers have no variance: eps keeps them from 0 / 0, and what is left is the bias",
            |f| {
                let [weight, _] = plain(3)?;
                let bias = row(&[1., 2., 3.])?;
                let x = matrix(&[[5., 5., 5.], [0., 0., 0.]])?;
                let expected = matrix(&[[1., 2., 3.], [1., 2., 3.]])?;
                law(f, [&x, &weight, &bias], 1e-5, &expected, rounding(1))?;
                // One number is its own mean.
                law(f, [&matrix(&[[7.]])?, &row(&[2.])?, &row(&[3.])?], 1e-5, &matrix(&[[3.]])?, rounding(1))
            },
        )
        .law(Edges(why::ONE), "a single token `(dim)`, and four dimensions, are normed alike", |f| {
            let [weight, bias] = plain(2)?;
            law(f, [&row(&[1., 3.])?, &weight, &bias], 0., &row(&[-1., 1.])?, rounding(4))?;
            let x = seeded::normal(4, (2, 2, 2, 3))?;
            let [weight, bias] = plain(3)?;
            let expected = reference(&x, &weight, &bias, 0.5)?;
            law(f, [&x, &weight, &bias], 0.5, &expected, rounding(40))
        })
        .law(Edges(why::EMPTY), "no tokens give no tokens", |f| {
            let [weight, bias] = plain(3)?;
            let none = Tensor::zeros((2, 0, 3), DType::F32, &Device::Cpu)?;
            law(f, [&none, &weight, &bias], 1e-5, &none, rounding(0))
        })
        .law(Edges(why::VIEW), "a transposed view is read as its copy is", |f| {
            let x = matrix(&[[1., 10.], [3., 30.]])?.t()?;
            let [weight, bias] = plain(2)?;
            law(f, [&x, &weight, &bias], 0., &matrix(&[[-1., 1.], [-1., 1.]])?, rounding(4))
        })
        .law(Edges(why::REFUSED), "a weight or a bias of any shape but `(dim)` is an error", |f| {
            let x = matrix(&[[1., 3., 5.], [2., 4., 8.]])?;
            let [good, bias] = plain(3)?;
            let long = row(&[1., 1., 1., 1.])?;
            let single = row(&[1.])?;
            let table = matrix(&[[1., 1., 1.], [2., 2., 2.]])?;
            for (odd, why) in [
                (&long, "4 numbers for the 3 of a token"),
                (&single, "1 number for the 3 of a token: it would be shared, silently"),
                (&table, "a matrix: `(dim)` is expected"),
            ] {
                refused(&given([&x, odd, &bias], 1e-5), why, f(&x, odd, &bias, 1e-5))?;
                refused(&given([&x, &good, odd], 1e-5), why, f(&x, &good, odd, 1e-5))?;
            }
            Ok(())
        })
}
