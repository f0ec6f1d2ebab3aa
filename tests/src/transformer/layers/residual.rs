//! What one sublayer with its norm and its shortcut must hold.

use super::parts::{Affine, Calls, broken, first_row, given, plus, times};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        cases::{matrix, row},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        why,
    },
    transformer::parts::{NormOrder, Step},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::{fmt::Display, str::FromStr};

/// `residual`: `x`, where the norm stands, the norm, the sublayer.
pub type Residual = dyn Fn(&Tensor, NormOrder, &Step, &Step) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    residual_laws().proofs()
}

/// Checks `residual`: a sublayer with its norm and its shortcut. `O` is the chapter's own `NormOrder`.
pub fn residual<O: FromStr<Err: Display>>(
    answer: impl Fn(&Tensor, O, &Step, &Step) -> Result<Tensor> + 'static,
) -> Verdict {
    residual_laws().judge(&move |x: &Tensor, order: NormOrder, norm: &Step, sublayer: &Step| {
        answer(x, order.parsed()?, norm, sublayer)
    })
}

fn law(
    f: &Residual,
    x: &Tensor,
    order: NormOrder,
    [norm, sublayer]: [Affine; 2],
    expected: &Tensor,
) -> Outcome {
    let given = given(&[("x", x)], order, &[("norm", norm), ("sublayer", sublayer)]);
    let answer = f(x, order, &|x| norm.of(x), &|x| sublayer.of(x));
    // Two parts of two operations, and a sum, on numbers that may cancel to a tenth.
    same(&given, answer, expected, rounding(50))
}

fn residual_laws() -> Check<Residual> {
    use NormOrder::{Post, Pre};
    Check::new("transformer::residual", wrong::transformer::residual())
        .law(
            Implementation,
            "pre: x + sublayer(norm(x)). With a norm 2·x and a sublayer x + 1, 1 becomes 1 + (2 + 1)",
            |f| law(f, &row(&[1., 2.])?, Pre, [times(2.), plus(1.)], &row(&[4., 7.])?),
        )
        .law(
            Implementation,
            "post: norm(x + sublayer(x)). With a norm 2·x and a sublayer x + 1, 1 becomes 2 · (1 + 2)",
            |f| law(f, &row(&[1., 2.])?, Post, [times(2.), plus(1.)], &row(&[6., 10.])?),
        )
        .law(
            Implementation,
            "norm and sublayer run once each: pre norms first, post last",
            |f| {
                let x = matrix(&[[1., 2.]])?;
                for (order, expected) in [(Pre, ["norm", "sublayer"]), (Post, ["sublayer", "norm"])] {
                    let calls = Calls::default();
                    let given = given(&[("x", &x)], order, &[]);
                    value(&given, f(&x, order, &calls.part("norm"), &calls.part("sublayer")))?;
                    calls.are(&given, &expected)?;
                }
                Ok(())
            },
        )
        .property(
            Implementation,
            "for any norm, any sublayer and any shape",
            (1..4usize, 1..5usize, -2.0..2f64, -2.0..2f64, -2.0..2f64, 0..1000u64),
            |f, (rows, columns, a, b, c, seed)| {
                let x = seeded::normal(seed, (1, rows, columns))?;
                let [norm, sublayer] = [Affine { times: a, plus: b }, Affine { times: c, plus: a }];
                law(f, &x, Pre, [norm, sublayer], &(&x + sublayer.of(&norm.of(&x)?)?)?)?;
                law(f, &x, Post, [norm, sublayer], &norm.of(&(&x + sublayer.of(&x)?)?)?)
            },
        )
        .law(Gradients, "the gradient goes through the sublayer and past it", |f| {
            let x = seeded::normal(1, (2, 3))?;
            NormOrder::BOTH.into_iter().try_for_each(|order| {
                gradients_agree(&[("x", &x)], |inputs| {
                    f(&inputs[0], order, &|x| x.tanh(), &|x| x.sqr())
                })
            })
        })
        .law(Edges(why::EMPTY), "no tokens give no tokens; f64 in, f64 out", |f| {
            let none = Tensor::zeros((1, 0, 4), DType::F32, &Device::Cpu)?;
            law(f, &none, Pre, [times(2.), plus(1.)], &none)?;
            law(f, &none, Post, [times(2.), plus(1.)], &none)?;
            let x = row(&[1., 2.])?.to_dtype(DType::F64)?;
            law(f, &x, Pre, [times(2.), plus(1.)], &row(&[4., 7.])?.to_dtype(DType::F64)?)
        })
        .law(
            Edges(why::PASSED_ON),
            "a part that fails, and a sublayer that gives another shape, are an error",
            |f| {
                let x = matrix(&[[1., 2.], [3., 4.]])?;
                for order in NormOrder::BOTH {
                    let given = given(&[("x", &x)], order, &[]);
                    let double = |x: &Tensor| times(2.).of(x);
                    let why = "the error of a part is passed on";
                    refused(&format!("{given}\nnorm: fails"), why, f(&x, order, &broken, &double))?;
                    refused(&format!("{given}\nsublayer: fails"), why, f(&x, order, &double, &broken))?;
                    let about = format!("{given}\nsublayer: gives the first row alone");
                    let why = "one row cannot be added to two";
                    refused(&about, why, f(&x, order, &double, &first_row))?;
                }
                Ok(())
            },
        )
}
