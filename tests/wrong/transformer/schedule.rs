//! Wrong schedules.

use crate::{
    transformer::LearningRate,
    wrong::{Wrong, wrong},
};

/// The right rate.
fn rate(step: usize, d_model: usize, warmup: usize) -> f64 {
    let (up, down) = branches(step, warmup);
    width(d_model) * down.min(up)
}

/// What rises and what falls.
fn branches(step: usize, warmup: usize) -> (f64, f64) {
    let (step, warmup) = (step.max(1) as f64, warmup as f64);
    (step * warmup.powf(-1.5), step.powf(-0.5))
}

fn width(d_model: usize) -> f64 {
    (d_model as f64).powf(-0.5)
}

pub fn learning_rate() -> Vec<Wrong<LearningRate>> {
    vec![
        wrong!(
            "no warm-up",
            "there is no warm-up: the rate falls from the first step on. Take the smaller of what falls and what rises.",
            |step, d_model, warmup| width(d_model) * branches(step, warmup).1
        ),
        wrong!(
            "no decay",
            "the rate rises forever: take the smaller of what rises and what falls.",
            |step, d_model, warmup| match warmup {
                0 => rate(step, d_model, 0),
                _ => width(d_model) * branches(step, warmup).0,
            }
        ),
        wrong!(
            "the larger of the two",
            "the larger of the two is taken: `min`, not `max`. The first steps would be the longest.",
            |step, d_model, warmup| match warmup {
                0 => rate(step, d_model, 0),
                _ => {
                    let (up, down) = branches(step, warmup);
                    width(d_model) * up.max(down)
                }
            }
        ),
        wrong!(
            "constant after the warm-up",
            "after the warm-up the rate stays the same: it should fall with the root of the step.",
            |step, d_model, warmup| rate(step.min(warmup.max(1)), d_model, warmup)
        ),
        wrong!(
            "falls with the step",
            "after the warm-up the rate falls with the step: it should fall with its root, step^(−1/2).",
            |step, d_model, warmup| {
                let (at, warm) = (step.max(1) as f64, warmup.max(1) as f64);
                if at <= warm {
                    rate(step, d_model, warmup)
                } else {
                    width(d_model) * warm.powf(0.5) / at
                }
            }
        ),
        wrong!(
            "falls with the step from 1 on",
            "what falls is step^(−1/2), the root: with step^(−1) the peak comes too early and too low.",
            |step, d_model, warmup| {
                let (up, _) = branches(step, warmup);
                width(d_model) * up.min(1. / step.max(1) as f64)
            }
        ),
        wrong!(
            "warmup^(−1/2) in what rises",
            "what rises is step · warmup^(−3/2): with warmup^(−1/2) the two meet long before the end of the warm-up.",
            |step, d_model, warmup| {
                let (_, down) = branches(step, warmup);
                let up = step.max(1) as f64 * (warmup as f64).powf(-0.5);
                width(d_model) * up.min(down)
            }
        ),
        wrong!(
            "warmup^(−1) in what rises",
            "what rises is step · warmup^(−3/2): with step / warmup the rate at the end of the warm-up would be 1, and the two meet too early.",
            |step, d_model, warmup| {
                let (_, down) = branches(step, warmup);
                let up = step.max(1) as f64 / warmup as f64;
                width(d_model) * up.min(down)
            }
        ),
        wrong!(
            "d_model forgotten",
            "`d_model` is not used: wider models learn at smaller rates, by the root of d_model.",
            |step, _, warmup| rate(step, 1, warmup)
        ),
        wrong!(
            "divided by d_model",
            "the rate is divided by d_model: divide by its root, d_model^(−1/2).",
            |step, d_model, warmup| rate(step, d_model * d_model, warmup)
        ),
        wrong!(
            "multiplied by the root of d_model",
            "the rate grows with d_model: the exponent is −1/2.",
            |step, d_model, warmup| rate(step, 1, warmup) / width(d_model)
        ),
        wrong!(
            "steps from 0",
            "1 is added to the step: steps count from 1 already, and only step 0 is treated as step 1.",
            |step, d_model, warmup| rate(step + 1, d_model, warmup)
        ),
        wrong!(
            "step 0 at a rate of 0",
            "at step 0 the result is 0 or not a number: treat step 0 as step 1.",
            |step, d_model, warmup| match step {
                0 => 0.,
                _ => rate(step, d_model, warmup),
            }
        ),
        wrong!(
            "computed in f32",
            "the rate is computed in f32, and half of its digits are gone: use f64 throughout.",
            |step, d_model, warmup| {
                let [step, width, warm] =
                    [step.max(1), d_model, warmup].map(|number| number as f32);
                f64::from(width.powf(-0.5) * step.powf(-0.5).min(step * warm.powf(-1.5)))
            }
        ),
        wrong!(
            "warm-up 0 gives 0",
            "without a warm-up the rate is 0, and nothing is ever learned: only what falls should be left. warmup^(−3/2) is infinite at 0, and `min` then picks the other one.",
            |step, d_model, warmup| match warmup {
                0 => 0.,
                _ => rate(step, d_model, warmup),
            }
        ),
    ]
}
