//! What a layer of the encoder must hold.

use super::parts::{Affine, Calls, broken, given, plus, times};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        why,
    },
    transformer::parts::{NormOrder, Step},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::{fmt::Display, str::FromStr};

/// `encoder_layer`: `x`, where the norms stand, the norms, attention, feed-forward.
pub type EncoderLayer = dyn Fn(&Tensor, NormOrder, [&Step; 2], &Step, &Step) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    encoder_laws().proofs()
}

/// Checks `encoder_layer`: attention, then feed-forward. `O` is the chapter's own `NormOrder`.
pub fn encoder_layer<O: FromStr<Err: Display>>(
    answer: impl Fn(&Tensor, O, [&Step; 2], &Step, &Step) -> Result<Tensor> + 'static,
) -> Verdict {
    encoder_laws().judge(&move |x: &Tensor,
                                order: NormOrder,
                                norms: [&Step; 2],
                                attend: &Step,
                                feed_forward: &Step| {
        answer(x, order.parsed()?, norms, attend, feed_forward)
    })
}

/// First and second norm, attention, feed-forward.
type Parts = [Affine; 4];

fn law(f: &EncoderLayer, x: &Tensor, order: NormOrder, parts: Parts, expected: &Tensor) -> Outcome {
    let names = ["norms[0]", "norms[1]", "attend", "feed_forward"];
    let named: Vec<_> = names.into_iter().zip(parts).collect();
    let given = given(&[("x", x)], order, &named);
    let [norm1, norm2, attend, feed_forward] = parts.map(|part| move |x: &Tensor| part.of(x));
    let answer = f(x, order, [&norm1, &norm2], &attend, &feed_forward);
    // Four parts of two operations, two sums, on numbers that may cancel to a hundredth.
    same(&given, answer, expected, rounding(500))
}

/// The numbers of every part by hand.
const PARTS: Parts = [
    Affine { times: 2., plus: 0. },
    Affine { times: 3., plus: 0. },
    Affine { times: 1., plus: 1. },
    Affine { times: 1., plus: 2. },
];

fn one_token(number: f32) -> Result<Tensor> {
    Tensor::new(&[[[number]]], &Device::Cpu)
}

fn encoder_laws() -> Check<EncoderLayer> {
    use NormOrder::{Post, Pre};
    let check = Check::new("transformer::encoder_layer", wrong::transformer::encoder_layer())
        .law(
            Implementation,
            "pre: x + attend(norm(x)), and that plus feed_forward(norm(that)), each with its own norm",
            // 1 + (2 + 1) = 4; 4 + (12 + 2) = 18
            |f| law(f, &one_token(1.)?, Pre, PARTS, &one_token(18.)?),
        )
        .law(
            Implementation,
            "post: norm(x + attend(x)), and norm(that + feed_forward(that)), each with its own norm",
            // 2 · (1 + 2) = 6; 3 · (6 + 8) = 42
            |f| law(f, &one_token(1.)?, Post, PARTS, &one_token(42.)?),
        )
        .law(Implementation, "each part runs once, attention before feed-forward", |f| {
            let x = one_token(1.)?;
            let orders = [
                (Pre, ["norms[0]", "attend", "norms[1]", "feed_forward"]),
                (Post, ["attend", "norms[0]", "feed_forward", "norms[1]"]),
            ];
            for (order, expected) in orders {
                let calls = Calls::default();
                let given = given(&[("x", &x)], order, &[]);
                let norms: [&Step; 2] = [&calls.part("norms[0]"), &calls.part("norms[1]")];
                let (attend, feed_forward) = (calls.part("attend"), calls.part("feed_forward"));
                value(&given, f(&x, order, norms, &attend, &feed_forward))?;
                calls.are(&given, &expected)?;
            }
            Ok(())
        })
        .property(
            Implementation,
            "for any parts and any shape",
            (1..3usize, 1..4usize, 1..5usize, -2.0..2f64, -2.0..2f64, 0..1000u64),
            |f, (batch, seq, dim, a, b, seed)| {
                let x = seeded::normal(seed, (batch, seq, dim))?;
                let parts = [
                    Affine { times: a, plus: b },
                    Affine { times: b, plus: a },
                    Affine { times: a - b, plus: 1. },
                    Affine { times: a + b, plus: b },
                ];
                let [norm1, norm2, attend, feed_forward] = parts;
                let y = (&x + attend.of(&norm1.of(&x)?)?)?;
                law(f, &x, Pre, parts, &(&y + feed_forward.of(&norm2.of(&y)?)?)?)?;
                let y = norm1.of(&(&x + attend.of(&x)?)?)?;
                law(f, &x, Post, parts, &norm2.of(&(&y + feed_forward.of(&y)?)?)?)
            },
        );
    check
        .law(Gradients, "the gradient goes through every part and past it", |f| {
            let x = seeded::normal(1, (2, 2, 2))?;
            NormOrder::BOTH.into_iter().try_for_each(|order| {
                gradients_agree(&[("x", &x)], |inputs| {
                    let (attend, feed_forward) = (|x: &Tensor| x.sin(), |x: &Tensor| x.sqr());
                    let norms: [&Step; 2] = [&|x| x.tanh(), &|x| x.cos()];
                    f(&inputs[0], order, norms, &attend, &feed_forward)
                })
            })
        })
        .law(Edges(why::EMPTY), "no tokens give no tokens; f64 in, f64 out", |f| {
            let none = Tensor::zeros((2, 0, 4), DType::F32, &Device::Cpu)?;
            NormOrder::BOTH.into_iter().try_for_each(|order| law(f, &none, order, PARTS, &none))?;
            let [x, expected] = [one_token(1.)?, one_token(42.)?].map(|x| x.to_dtype(DType::F64));
            law(f, &x?, Post, PARTS, &expected?)
        })
        .law(Edges(why::PASSED_ON), "the error of a part is passed on", |f| {
            let (x, fine) = (one_token(1.)?, |x: &Tensor| times(2.).of(x));
            for order in NormOrder::BOTH {
                let names = ["norms[0]", "norms[1]", "attend", "feed_forward"];
                for (at, name) in names.into_iter().enumerate() {
                    let part =
                        |number: usize| -> &Step { if at == number { &broken } else { &fine } };
                    let given = format!("{}\n{name}: fails", given(&[("x", &x)], order, &[]));
                    let answer = f(&x, order, [part(0), part(1)], part(2), part(3));
                    refused(&given, "the error of a part is passed on", answer)?;
                }
            }
            Ok(())
        })
        .law(
            Implementation,
            "attention sees all tokens at once, and each part gets the whole shape",
            |f| {
                // Attention that gives each token the sum over all of them.
                let attend = |x: &Tensor| x.sum_keepdim(1)?.broadcast_as(x.shape())?.contiguous();
                let x = Tensor::new(&[[[1f32], [2.]]], &Device::Cpu)?;
                let (same_norm, feed_forward) =
                    (|x: &Tensor| Ok(x.clone()), |x: &Tensor| plus(1.).of(x));
                let given = format!(
                    "{}\nnorms: x\nattend: each token becomes the sum of all\nfeed_forward: x + 1",
                    given(&[("x", &x)], Pre, &[])
                );
                let answer = f(&x, Pre, [&same_norm, &same_norm], &attend, &feed_forward);
                // 1 + 3 = 4 and 2 + 3 = 5; 4 + 5 = 9 and 5 + 6 = 11
                same(&given, answer, &Tensor::new(&[[[9f32], [11.]]], &Device::Cpu)?, rounding(4))
            },
        )
}
