//! What a layer of the decoder must hold.

use super::parts::{Affine, Calls, broken, given, times};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation},
        Outcome,
        compare::{exactly, refused, rounding, same, value},
        gradient::gradients_agree,
        why,
    },
    transformer::parts::{Cross, NormOrder, Step},
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::{cell::RefCell, fmt::Display, str::FromStr};

/// `decoder_layer`: `y`, memory, where the norms stand, the norms, self-attention, cross-attention, feed-forward.
pub type DecoderLayer =
    dyn Fn(&Tensor, &Tensor, NormOrder, [&Step; 3], &Step, &Cross, &Step) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    decoder_laws().proofs()
}

/// Checks `decoder_layer`: self-attention, cross-attention, feed-forward. `O` is the chapter's own `NormOrder`.
pub fn decoder_layer<O: FromStr<Err: Display>>(
    answer: impl Fn(&Tensor, &Tensor, O, [&Step; 3], &Step, &Cross, &Step) -> Result<Tensor> + 'static,
) -> Verdict {
    decoder_laws().judge(&move |y: &Tensor,
                                memory: &Tensor,
                                order: NormOrder,
                                norms: [&Step; 3],
                                attend: &Step,
                                cross_attend: &Cross,
                                feed_forward: &Step| {
        answer(y, memory, order.parsed()?, norms, attend, cross_attend, feed_forward)
    })
}

/// Three norms, self-attention, feed-forward.
type Parts = [Affine; 5];

const NAMES: [&str; 5] = ["norms[0]", "norms[1]", "norms[2]", "attend", "feed_forward"];

/// The numbers of every part by hand.
const PARTS: Parts = [
    Affine { times: 2., plus: 0. },
    Affine { times: 3., plus: 0. },
    Affine { times: 5., plus: 0. },
    Affine { times: 1., plus: 1. },
    Affine { times: 1., plus: 2. },
];

/// Tokens `(batch, seq_t, d_model)` plus twice the sum of the memory `(batch, seq_s, d_model)`.
fn cross(tokens: &Tensor, memory: &Tensor) -> Result<Tensor> {
    tokens.broadcast_add(&(memory.sum_keepdim(1)? * 2.)?)
}

fn law(
    f: &DecoderLayer,
    [y, memory]: [&Tensor; 2],
    order: NormOrder,
    parts: Parts,
    expected: &Tensor,
) -> Outcome {
    let named: Vec<_> = NAMES.into_iter().zip(parts).collect();
    let given = given(&[("y", y), ("memory", memory)], order, &named)
        + "\ncross_attend(tokens, memory): tokens + 2 · the sum of the memory's tokens";
    let [norm1, norm2, norm3, attend, feed_forward] =
        parts.map(|part| move |x: &Tensor| part.of(x));
    let norms: [&Step; 3] = [&norm1, &norm2, &norm3];
    let answer = f(y, memory, order, norms, &attend, &cross, &feed_forward);
    // Six parts of two or three operations, three sums, on numbers that may cancel to a hundredth.
    same(&given, answer, expected, rounding(800))
}

fn one_token(number: f32) -> Result<Tensor> {
    Tensor::new(&[[[number]]], &Device::Cpu)
}

fn decoder_laws() -> Check<DecoderLayer> {
    edges(values(Check::new("transformer::decoder_layer", wrong::transformer::decoder_layer())))
}

fn values(check: Check<DecoderLayer>) -> Check<DecoderLayer> {
    use NormOrder::{Post, Pre};
    check
        .law(
            Implementation,
            "pre: y + attend(norm(y)), then cross_attend(norm(y), memory) and feed_forward(norm(y)) are added likewise, each with its own norm",
            // 1 + (2 + 1) = 4; 4 + (12 + 20) = 36; 36 + (180 + 2) = 218
            |f| law(f, [&one_token(1.)?, &one_token(10.)?], Pre, PARTS, &one_token(218.)?),
        )
        .law(
            Implementation,
            "post: norm(y + attend(y)), then norm(y + cross_attend(y, memory)) and norm(y + feed_forward(y)), each with its own norm",
            // 2 · (1 + 2) = 6; 3 · (6 + 26) = 96; 5 · (96 + 98) = 970
            |f| law(f, [&one_token(1.)?, &one_token(10.)?], Post, PARTS, &one_token(970.)?),
        )
        .law(
            Implementation,
            "each part runs once: self-attention, cross-attention, feed-forward",
            |f| {
                let (y, memory) = (one_token(1.)?, one_token(10.)?);
                let orders = [
                    (Pre, ["norms[0]", "attend", "norms[1]", "cross_attend", "norms[2]", "feed_forward"]),
                    (Post, ["attend", "norms[0]", "cross_attend", "norms[1]", "feed_forward", "norms[2]"]),
                ];
                for (order, expected) in orders {
                    let calls = Calls::default();
                    let given = given(&[("y", &y), ("memory", &memory)], order, &[]);
                    let [norm1, norm2, norm3, attend, feed_forward] = NAMES.map(|name| calls.part(name));
                    let noted = calls.part("cross_attend");
                    let cross = |tokens: &Tensor, _: &Tensor| noted(tokens);
                    let norms: [&Step; 3] = [&norm1, &norm2, &norm3];
                    value(&given, f(&y, &memory, order, norms, &attend, &cross, &feed_forward))?;
                    calls.are(&given, &expected)?;
                }
                Ok(())
            },
        )
        .law(
            Implementation,
            "cross_attend gets the memory as it is, never normed, in both orders",
            |f| {
                let (y, memory) = (seeded::normal(1, (2, 3, 2))?, seeded::normal(2, (2, 4, 2))?);
                for order in NormOrder::BOTH {
                    let seen = RefCell::new(None);
                    let cross = |tokens: &Tensor, memory: &Tensor| {
                        seen.replace(Some(memory.clone()));
                        Ok(tokens.clone())
                    };
                    let part = |x: &Tensor| times(2.).of(x);
                    let given = given(&[("y", &y), ("memory", &memory)], order, &[]);
                    value(&given, f(&y, &memory, order, [&part; 3], &part, &cross, &part))?;
                    let about = format!("{given}\nlooked at: the memory that cross_attend gets");
                    let Some(seen) = seen.take() else {
                        let text = "cross_attend is never called";
                        return Err(crate::harness::Breach::text(&about, "the memory", text));
                    };
                    same(&about, Ok(seen), &memory, exactly())?;
                }
                Ok(())
            },
        )
        .property(
            Implementation,
            "for any parts, any shape, and a memory of another length",
            (1..3usize, 1..4usize, 1..4usize, 1..4usize, -2.0..2f64, -2.0..2f64, 0..1000u64),
            |f, (batch, seq_t, seq_s, dim, a, b, seed)| {
                let y = seeded::normal(seed, (batch, seq_t, dim))?;
                let memory = seeded::normal(seed + 1, (batch, seq_s, dim))?;
                let parts = [
                    Affine { times: a, plus: b },
                    Affine { times: b, plus: a },
                    Affine { times: 1., plus: a },
                    Affine { times: a - b, plus: 1. },
                    Affine { times: a + b, plus: b },
                ];
                let [norm1, norm2, norm3, attend, feed_forward] = parts;
                let case = [&y, &memory];
                let z = (&y + attend.of(&norm1.of(&y)?)?)?;
                let z = (&z + cross(&norm2.of(&z)?, &memory)?)?;
                law(f, case, Pre, parts, &(&z + feed_forward.of(&norm3.of(&z)?)?)?)?;
                let z = norm1.of(&(&y + attend.of(&y)?)?)?;
                let z = norm2.of(&(&z + cross(&z, &memory)?)?)?;
                law(f, case, Post, parts, &norm3.of(&(&z + feed_forward.of(&z)?)?)?)
            },
        )
}

fn edges(check: Check<DecoderLayer>) -> Check<DecoderLayer> {
    check
        .law(
            Gradients,
            "the gradient goes through every part and past it, to y and to the memory",
            |f| {
                let (y, memory) = (seeded::normal(3, (1, 2, 2))?, seeded::normal(4, (1, 3, 2))?);
                NormOrder::BOTH.into_iter().try_for_each(|order| {
                    gradients_agree(&[("y", &y), ("memory", &memory)], |inputs| {
                        let (attend, feed_forward) = (|y: &Tensor| y.sin(), |y: &Tensor| y.sqr());
                        let cross = |y: &Tensor, memory: &Tensor| cross(y, memory)?.tanh();
                        let norms: [&Step; 3] = [&|y| y.tanh(), &|y| y.cos(), &|y| y.sin()];
                        f(&inputs[0], &inputs[1], order, norms, &attend, &cross, &feed_forward)
                    })
                })
            },
        )
        .law(Edges(why::EMPTY), "no tokens give no tokens; f64 in, f64 out", |f| {
            let none = Tensor::zeros((1, 0, 2), DType::F32, &Device::Cpu)?;
            let memory = seeded::normal(5, (1, 3, 2))?;
            NormOrder::BOTH
                .into_iter()
                .try_for_each(|order| law(f, [&none, &memory], order, PARTS, &none))?;
            let [y, memory, expected] = [1., 10., 970.].map(|x| one_token(x)?.to_dtype(DType::F64));
            law(f, [&y?, &memory?], NormOrder::Post, PARTS, &expected?)
        })
        .law(Edges(why::PASSED_ON), "the error of a part is passed on", |f| {
            let (y, memory) = (one_token(1.)?, one_token(10.)?);
            let fine = |x: &Tensor| times(2.).of(x);
            for order in NormOrder::BOTH {
                let about = given(&[("y", &y), ("memory", &memory)], order, &[]);
                for at in 0..=NAMES.len() {
                    let part =
                        |number: usize| -> &Step { if at == number { &broken } else { &fine } };
                    let norms = [part(0), part(1), part(2)];
                    let cross = |tokens: &Tensor, _: &Tensor| part(5)(tokens);
                    let name = NAMES.get(at).unwrap_or(&"cross_attend");
                    let answer = f(&y, &memory, order, norms, part(3), &cross, part(4));
                    refused(
                        &format!("{about}\n{name}: fails"),
                        "the error of a part is passed on",
                        answer,
                    )?;
                }
            }
            Ok(())
        })
}
