//! What the learning rate's schedule must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation},
        Outcome,
        show::{self, remember},
    },
    wrong,
};

/// `learning_rate`: the step, `d_model`, the steps of the warm-up.
pub type LearningRate = dyn Fn(usize, usize, usize) -> f64;

pub(super) fn zoo() -> Vec<Proof> {
    rate_laws().proofs()
}

/// Checks `learning_rate`: up with the step, then down with its root.
pub fn learning_rate(answer: impl Fn(usize, usize, usize) -> f64 + 'static) -> Verdict {
    rate_laws().judge(&answer)
}

/// Three powers and two products, each right to an ulp or two of f64.
const ALLOWED: f64 = 8. * f64::EPSILON;

fn law(f: &LearningRate, [step, d_model, warmup]: [usize; 3], expected: f64) -> Outcome {
    let given = remember(format!("step: {step}, d_model: {d_model}, warmup: {warmup}"));
    let got = f(step, d_model, warmup);
    if (got - expected).abs() <= ALLOWED * expected {
        return Ok(());
    }
    let [expected, got] = show::numbers_apart(expected, got);
    Err(Breach::text(&given, &expected, &got))
}

fn rate_laws() -> Check<LearningRate> {
    Check::new("transformer::learning_rate", wrong::transformer::learning_rate())
        .law(
            Implementation,
            "during the warm-up it rises with the step: d_model⁻½ · step · warmup^(−3/2)",
            |f| {
                // ½ · 1 · 4^(−3/2) = 1/16
                law(f, [1, 4, 4], 0.0625)?;
                law(f, [2, 4, 4], 0.125)
            },
        )
        .law(Implementation, "at the end of the warm-up it is d_model⁻½ · warmup⁻½", |f| {
            law(f, [4, 4, 4], 0.25)
        })
        .law(
            Implementation,
            "after the warm-up it falls with the root: at four times the step it is half as large",
            |f| {
                law(f, [16, 4, 4], 0.125)?;
                law(f, [64, 4, 4], 0.0625)
            },
        )
        .law(Implementation, "a model four times as wide learns at half the rate", |f| {
            law(f, [4, 16, 4], 0.125)
        })
        .law(
            Implementation,
            "the paper's base model, d_model 512 and 4000 steps of warm-up, peaks at 0.0007",
            // 1 / √(512 · 4000)
            |f| law(f, [4000, 512, 4000], 1. / 2_048_000f64.sqrt()),
        )
        .property(
            Implementation,
            "it is d_model⁻½ · min(step⁻½, step · warmup^(−3/2)) at any step",
            (1..2000usize, 1..600usize, 1..1000usize),
            |f, (step, d_model, warmup)| {
                let [at, width, warm] = [step, d_model, warmup].map(|number| number as f64);
                let peak = 1. / (width * warm).sqrt();
                let expected =
                    if step < warmup { peak * at / warm } else { peak * (warm / at).sqrt() };
                law(f, [step, d_model, warmup], expected)
            },
        )
        .law(
            Edges("many runs have no warm-up; a rate of 0, NaN or infinity at the first step ends them before they began."),
            "without a warm-up (0 steps) it falls from the first step on",
            |f| {
                law(f, [1, 4, 0], 0.5)?;
                law(f, [4, 4, 0], 0.25)
            },
        )
        .law(Edges("many loops count from 0; whoever asks for step 0 wants the first rate, not 0 or infinity."), "step 0 is taken as step 1, also without a warm-up", |f| {
            law(f, [0, 4, 4], 0.0625)?;
            law(f, [0, 4, 0], 0.5)
        })
}
