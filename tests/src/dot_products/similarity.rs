//! What measures of similarity must hold: the dot product and the cosine.

use super::{Binary, ones, pair, pytorch, scalar, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        cases::{HALF, matrix, row},
        compare::{exactly, refused, same, value},
        gradient::{gradient_is_finite, gradients_agree},
        show, why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor, Var};

pub(super) fn zoo() -> Vec<Proof> {
    [dot_laws().proofs(), cosine_laws().proofs()].into_iter().flatten().collect()
}

/// The law that vectors are paired only when the shapes are equal, also where broadcasting would make them fit.
fn unequal_shapes_are_refused(f: &Binary) -> Outcome {
    let cases = [
        (row(&[1., 2., 3.])?, row(&[1., 2.])?, "3 and 2 numbers cannot be paired"),
        (row(&[1., 2., 3.])?, row(&[2.])?, "3 numbers and 1 cannot be paired"),
        (
            matrix(&[[1., 2.], [3., 4.]])?,
            row(&[1., 2.])?,
            "`a` has two rows, `b` is a single vector",
        ),
    ];
    cases
        .iter()
        .try_for_each(|(a, b, why)| refused(&show::inputs(&[("a", a), ("b", b)]), why, f(a, b)))
}

/// Checks the dot product of paired vectors: `(…, dim)`, `(…, dim)` → `(…)`.
pub fn dot(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    dot_laws().judge(&answer)
}

fn dot_laws() -> Check<Binary> {
    let law = |f: &Binary, a: &Tensor, b: &Tensor, expected: &Tensor, units| {
        pair(["a", "b"], f, [a, b], expected, units)
    };
    Check::new("dot_products::dot", wrong::dot_products::dot())
        .law(
            Implementation,
            "numbers at the same place are multiplied, and the products added up: 1·4 + 2·(−5) + 3·6 = 12",
            move |f| law(f, &row(&[1., 2., 3.])?, &row(&[4., -5., 6.])?, &scalar(12.)?, 4),
        )
        .law(
            Implementation,
            "perpendicular vectors have a dot product of 0, opposite ones a negative one",
            move |f| {
                law(f, &row(&[3., 4.])?, &row(&[-4., 3.])?, &scalar(0.)?, 1)?;
                law(f, &row(&[3., 4.])?, &row(&[-3., -4.])?, &scalar(-25.)?, 1)
            },
        )
        .law(
            Implementation,
            "row i of `a` is paired with row i of `b`: one number per row",
            move |f| {
                let (a, b) = (matrix(&[[1., 0.], [2., 3.], [0., 1.]])?, matrix(&[[5., 7.], [1., 1.], [2., 4.]])?);
                law(f, &a, &b, &row(&[5., 5., 4.])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (batch, heads, seq, head_dim)",
            move |f| {
                let fixtures = pytorch()?;
                law(f, &fixtures.get("pairs.a")?, &fixtures.get("pairs.b")?, &fixtures.get("pairs.dot")?, 8)
            },
        )
        .property(
            Implementation,
            "it is symmetric: a·b = b·a",
            (1..4usize, 1..8usize, 0..1000u64),
            move |f, (rows, dim, seed)| {
                let (a, b) = (seeded::normal(seed, (rows, dim))?, seeded::normal(seed + 1, (rows, dim))?);
                let expected = value(&show::inputs(&[("a", &b), ("b", &a)]), f(&b, &a))?;
                law(f, &a, &b, &expected, 2 * dim)
            },
        )
        .property(
            Implementation,
            "it is linear in each argument: (c a + e)·b = c (a·b) + e·b",
            (1..8usize, -4f32..4f32, 0..1000u64),
            move |f, (dim, factor, seed)| {
                let draw = |at| seeded::normal(seed + at, dim);
                let (a, e, b) = (draw(0)?, draw(1)?, draw(2)?);
                let mixed = ((&a * f64::from(factor))? + &e)?;
                let named = |x| show::inputs(&[("a", x), ("b", &b)]);
                let expected = ((value(&named(&a), f(&a, &b))? * f64::from(factor))? + value(&named(&e), f(&e, &b))?)?;
                // Numbers of size ≤ 4 · 4 · 4, `dim` products on each side.
                law(f, &mixed, &b, &expected, 64 * (dim + 2))
            },
        )
        .law(Implementation, "f64 in, f64 out, to f64's precision (gradients are compared in f64)", move |f| {
            let a = Tensor::new(&[1f64, 1e-12], &Device::Cpu)?;
            law(f, &a, &ones(&[2], DType::F64)?, &Tensor::new(1f64 + 1e-12, &Device::Cpu)?, 2)
        })
        .law(Gradients, "gradients reach both vectors and are right", |f| {
            let (a, b) = (seeded::normal(1, (2, 3))?, seeded::normal(2, (2, 3))?);
            gradients_agree(&[("a", &a), ("b", &b)], |inputs| f(&inputs[0], &inputs[1]))
        })
        .law(
            Edges(why::REFUSED),
            "shapes that differ are an error, even where broadcasting would make them fit",
            unequal_shapes_are_refused,
        )
        .law(Edges(why::ONE), "vectors of one number each", move |f| {
            law(f, &row(&[3.])?, &row(&[-2.])?, &scalar(-6.)?, 1)
        })
        .law(Edges(why::EMPTY), "no rows give no dot products: (0, 3) in, (0) out", move |f| {
            law(f, &zeros(&[0, 3])?, &zeros(&[0, 3])?, &zeros(&[0])?, 1)
        })
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            // Small whole numbers, exact in both types.
            HALF.iter().try_for_each(|&half| {
                let [a, b] = [row(&[1., 2., 3.])?, row(&[4., -5., 6.])?];
                law(f, &a.to_dtype(half)?, &b.to_dtype(half)?, &scalar(12.)?.to_dtype(half)?, 4)
            })
        })
}

/// Checks the cosine of the angle between paired vectors: `(…, dim)`, `(…, dim)` → `(…)`.
pub fn cosine_similarity(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    cosine_laws().judge(&answer)
}

fn cosine_laws() -> Check<Binary> {
    let law = |f: &Binary, a: &Tensor, b: &Tensor, expected: &Tensor, units| {
        pair(["a", "b"], f, [a, b], expected, units)
    };
    Check::new("dot_products::cosine_similarity", wrong::dot_products::cosine_similarity())
        .law(
            Implementation,
            "the dot product is divided by both norms: (3, 4)·(8, 6) / (5 · 10) = 48 / 50",
            move |f| law(f, &row(&[3., 4.])?, &row(&[8., 6.])?, &scalar(0.96)?, 4),
        )
        .law(
            Implementation,
            "1 for the same direction, 0 for a right angle, −1 for opposite directions, row by row",
            move |f| {
                let (a, b) = (
                    matrix(&[[1., 2.], [3., 0.], [0., 2.]])?,
                    matrix(&[[3., 6.], [0., 5.], [0., -4.]])?,
                );
                law(f, &a, &b, &row(&[1., 0., -1.])?, 4)
            },
        )
        .property(
            Implementation,
            "norms do not matter: stretching a vector by a positive factor changes nothing",
            (1..8usize, 0.01f32..100f32, 0..1000u64),
            move |f, (dim, factor, seed)| {
                let (a, b) = (seeded::normal(seed, (2, dim))?, seeded::normal(seed + 1, (2, dim))?);
                let expected = value(&show::inputs(&[("a", &a), ("b", &b)]), f(&a, &b))?;
                law(f, &(&a * f64::from(factor))?, &b, &expected, 4 * (dim + 4))
            },
        )
        .property(
            Implementation,
            "the result lies between −1 and 1",
            (1..8usize, 0..1000u64),
            |f, (dim, seed)| {
                let (a, b) = (seeded::normal(seed, (2, dim))?, seeded::normal(seed + 1, (2, dim))?);
                let given = show::inputs(&[("a", &a), ("b", &b)]);
                let allowed = 1. + (dim + 4) as f32 * f32::EPSILON;
                let got = value(&given, f(&a, &b))?;
                let inside = value(&given, got.clamp(-allowed, allowed))?;
                same(&given, Ok(got), &inside, exactly())
            },
        )
        .law(Implementation, "equals PyTorch's over (batch, heads, seq, head_dim)", move |f| {
            let fixtures = pytorch()?;
            law(
                f,
                &fixtures.get("pairs.a")?,
                &fixtures.get("pairs.b")?,
                &fixtures.get("pairs.cosine")?,
                16,
            )
        })
        .law(Implementation, "f64 in, f64 out, to f64's precision (gradients are compared in f64)", move |f| {
            // 1 / √(1 + 1e-12) is 1 − 5e-13, which f32 rounds to 1.
            let (a, b) = ([1f64, 1e-6], [1f64, 0.]);
            let (a, b) = (Tensor::new(&a, &Device::Cpu)?, Tensor::new(&b, &Device::Cpu)?);
            let expected = Tensor::new(1. / (1f64 + 1e-12).sqrt(), &Device::Cpu)?;
            law(f, &a, &b, &expected, 8)
        })
        .law(Gradients, "gradients reach both vectors and are right", |f| {
            let (a, b) = (seeded::normal(3, (2, 3))?, seeded::normal(4, (2, 3))?);
            gradients_agree(&[("a", &a), ("b", &b)], |inputs| f(&inputs[0], &inputs[1]))
        })
        .law(
            Edges(why::NOT_FINITE),
            "a vector of zeros has no direction: its similarity is 0, not NaN",
            move |f| {
                let (a, b) = (matrix(&[[0., 0.], [1., 1.]])?, matrix(&[[1., 2.], [2., 2.]])?);
                law(f, &a, &b, &row(&[0., 1.])?, 4)?;
                law(f, &b, &a, &row(&[0., 1.])?, 4)?;
                law(f, &zeros(&[2])?, &zeros(&[2])?, &scalar(0.)?, 1)
            },
        )
        .law(
            Edges(why::LIMIT),
            "tiny vectors have a direction too: nothing visible is added to the norms",
            move |f| law(f, &row(&[1e-6, 0.])?, &row(&[3e-3, 4e-3])?, &scalar(0.6)?, 8),
        )
        .law(
            Edges(why::LIMIT),
            "each norm counts as at least 1e-8: 1e-9 · 2 / (1e-8 · 2) = 0.1",
            move |f| law(f, &row(&[1e-9, 0.])?, &row(&[2., 0.])?, &scalar(0.1)?, 8),
        )
        .law(
            Edges("an embedding starts at zero for padding; one NaN in its gradient spreads to every weight at the next step."),
            "the gradient is finite even at a vector of zeros",
            |f| {
                let a = Var::from_tensor(&matrix(&[[0., 0.], [1., 1.]])?)?;
                let b = matrix(&[[1., 2.], [2., 2.]])?;
                let given = show::inputs(&[("a", &a), ("b", &b)]);
                gradient_is_finite(&given, "a", &a, &value(&given, f(&a, &b))?)?;
                let given = show::inputs(&[("a", &b), ("b", &a)]);
                gradient_is_finite(&given, "b", &a, &value(&given, f(&b, &a))?)
            },
        )
        .law(
            Edges(why::REFUSED),
            "shapes that differ are an error, even where broadcasting would make them fit",
            unequal_shapes_are_refused,
        )
}
