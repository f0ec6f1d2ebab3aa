//! What dropout must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation},
        cases::row,
        compare::{exactly, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{self, inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `dropout`: a tensor, a rate and a seed.
pub type Dropout = dyn Fn(&Tensor, f64, u64) -> Result<Tensor>;

/// Why a rate of 0 matters.
const WITHOUT: &str = "many models are trained without dropout: rate 0 must be as if it were not there, gradients included.";

pub(super) fn zoo() -> Vec<Proof> {
    dropout_laws().proofs()
}

/// Checks dropout: a number is dropped where `seeded::uniform(seed, shape)` is below the rate.
pub fn dropout(answer: impl Fn(&Tensor, f64, u64) -> Result<Tensor> + 'static) -> Verdict {
    dropout_laws().judge(&answer)
}

fn given(x: &Tensor, rate: f64, seed: u64) -> String {
    let draws = seeded::uniform(seed, x.shape()).unwrap_or_else(|_| x.clone());
    let named = inputs(&[("x", x), ("seeded::uniform(seed, x.shape())", &draws)]);
    remember(format!("{named}\nrate: {rate}\nseed: {seed}"))
}

/// One number after another.
fn reference(x: &Tensor, rate: f64, seed: u64) -> Result<Tensor> {
    let draws = show::values(&seeded::uniform(seed, x.shape())?)?;
    let values = show::values(x)?.into_iter().zip(draws);
    let kept = values.map(|(x, draw)| if draw < rate { 0. } else { x / (1. - rate) });
    let kept = Tensor::from_vec(kept.collect::<Vec<f64>>(), x.shape(), x.device())?;
    kept.to_dtype(x.dtype())
}

fn dropout_laws() -> Check<Dropout> {
    let law = |f: &Dropout, x: &Tensor, rate: f64, seed: u64| {
        // One product and one division, by a number that is rounded to the type as well.
        let expected = reference(x, rate, seed)?;
        same(&given(x, rate, seed), f(x, rate, seed), &expected, rounding(4))
    };
    Check::new("multi_head::dropout", wrong::multi_head::dropout())
        .law(
            Implementation,
            "where the draw is below the rate there is a 0; what is left is divided by 1 − rate",
            move |f| law(f, &row(&[1., 1., 1., 1., 1., 1.])?, 0.4, 1),
        )
        .law(
            Implementation,
            "at a rate of ¼ about a quarter is dropped, the rest grows by 4⁄3",
            move |f| law(f, &row(&[1., 2., 3., 4., 5., 6., 7., 8.])?, 0.25, 2),
        )
        .property(
            Implementation,
            "each number has its own draw, in any shape and for any seed",
            (1..4usize, 1..4usize, 1..5usize, 0.05..0.95f64, 0..1000u64),
            move |f, (heads, rows, columns, rate, seed)| {
                let x = seeded::normal(seed + 1, (1, heads, rows, columns))?;
                law(f, &x, rate, seed)
            },
        )
        .law(Implementation, "the mean stays: 10 000 ones have a mean of 1", |f| {
            let ones = Tensor::ones(10_000, DType::F32, &Device::Cpu)?;
            let given = given(&ones, 0.3, 5);
            let mean = value(&given, f(&ones, 0.3, 5).and_then(|x| x.mean_all()))?;
            let mean = mean.to_scalar::<f32>()?;
            // Five standard errors of a mean: √(rate / (1 − rate) / n).
            let allowed = 5. * (0.3f32 / 0.7 / 10_000.).sqrt();
            if (mean - 1.).abs() < allowed {
                return Ok(());
            }
            Err(Breach::text(
                &given,
                &format!("a mean within {allowed:.3} of 1"),
                &mean.to_string(),
            ))
        })
        .law(
            Gradients,
            "f64 in, f64 out, without a detour through f32; gradients are compared in f64",
            move |f| law(f, &seeded::normal(7, (2, 3))?.to_dtype(DType::F64)?, 0.3, 7),
        )
        .law(Gradients, "the gradient is dropped and scaled as the numbers are", |f| {
            let x = seeded::normal(8, (2, 4))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0], 0.5, 8))
        })
        .law(Edges(WITHOUT), "at rate 0 everything stays, to the last bit", |f| {
            let x = seeded::normal(6, (2, 3))?;
            same(&given(&x, 0., 6), f(&x, 0., 6), &x, exactly())
        })
        .law(Edges(WITHOUT), "at rate 0 the gradient goes through unchanged", |f| {
            let x = seeded::normal(9, (2, 3))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0], 0., 9))
        })
        .law(
            Edges(why::LIMIT),
            "a draw that equals the rate is not below it: its number stays",
            move |f| {
                let x = row(&[1., 1., 1.])?;
                let draws = show::values(&seeded::uniform(3, x.shape())?)?;
                law(f, &x, draws[1], 3)
            },
        )
        .law(Edges(why::REFUSED), "a rate outside [0, 1) is an error", |f| {
            let x = row(&[1., 2.])?;
            for rate in [1., 1.5, -0.1, f64::NAN] {
                let why = "the rate is a probability below 1";
                refused(&given(&x, rate, 1), why, f(&x, rate, 1))?;
            }
            Ok(())
        })
        .law(Edges(why::HALF), "f16 in, f16 out, and the same for bf16", move |f| {
            [DType::F16, DType::BF16]
                .into_iter()
                .try_for_each(|dtype| law(f, &seeded::normal(7, (2, 3))?.to_dtype(dtype)?, 0.3, 7))
        })
        .law(Edges(why::EMPTY), "nothing in, nothing out", move |f| {
            law(f, &Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?, 0.5, 7)
        })
}
