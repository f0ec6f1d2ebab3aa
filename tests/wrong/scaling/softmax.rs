//! Wrong log-sum-exps, wrong softmaxes, with and without a temperature.

use super::{softmax_over, softmax_right, through_f32};
use crate::{
    scaling::{Unary, WithTemperature},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};

/// Treats empty tensors as the exercise asks, so that a wrong answer is wrong in its fault only.
fn with_empty_right(
    mut wrong: Vec<Wrong<Unary>>,
    no_rows: fn(&Tensor) -> Result<Tensor>,
) -> Vec<Wrong<Unary>> {
    for entry in &mut wrong {
        let answer = std::mem::replace(&mut entry.answer, Box::new(|logits| Ok(logits.clone())));
        entry.answer = Box::new(move |logits| match logits.elem_count() {
            0 if logits.dim(D::Minus1)? == 0 => bail!("logits: expected at least one in each row"),
            0 => no_rows(logits),
            _ => answer(logits),
        });
    }
    wrong
}

pub fn log_sum_exp() -> Vec<Wrong<Unary>> {
    let wrong: Vec<Wrong<Unary>> = vec![
        wrong!(
            "no maximum subtracted",
            "exp() overflows f32 above 88: subtract each row's maximum first, and add it to the logarithm afterwards.",
            |logits| logits.exp()?.sum_keepdim(D::Minus1)?.log()
        ),
        wrong!(
            "logarithm forgotten",
            "the maximum is added to the sum itself: m + ln Σ e^(x − m), so take the logarithm of the sum first.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                max.clone() + logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?
            }
        ),
        wrong!(
            "maximum added but not subtracted",
            "the row's maximum is added after the logarithm, but was not subtracted before exp(): it counts twice.",
            |logits| {
                logits.max_keepdim(D::Minus1)? + logits.exp()?.sum_keepdim(D::Minus1)?.log()?
            }
        ),
        wrong!(
            "maximum not added back",
            "the row's maximum was subtracted before exp(), and never added back after the logarithm.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()
            }
        ),
        wrong!(
            "dimension dropped",
            "the values are right, but the last dimension is gone: keep it with size 1 (`sum_keepdim`, `max_keepdim`).",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
                (max + sum.log()?)?.squeeze(D::Minus1)
            }
        ),
        wrong!(
            "maximum of the whole tensor",
            "one maximum was taken for all rows: a row far below it underflows to ln 0 = −inf. Take each row's own.",
            |logits| {
                let max = logits.flatten_all()?.max(0)?;
                logits
                    .broadcast_sub(&max)?
                    .exp()?
                    .sum_keepdim(D::Minus1)?
                    .log()?
                    .broadcast_add(&max)
            }
        ),
        wrong!(
            "maximum not below zero",
            "the number that is subtracted is never below 0: a row of very negative logits underflows to ln 0 = −inf. Take the row's maximum, whatever its sign.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?.maximum(0.)?;
                max.clone() + logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()?
            }
        ),
        wrong!(
            "mean instead of sum",
            "the exponentials are averaged: log-sum-exp takes their sum.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                max.clone() + logits.broadcast_sub(&max)?.exp()?.mean_keepdim(D::Minus1)?.log()?
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the logits: only the maximum may be detached.",
            |logits| {
                let logits = logits.detach();
                let max = logits.max_keepdim(D::Minus1)?;
                max.clone() + logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()?
            }
        ),
        wrong!(
            "only the subtracted maximum detached",
            "the maximum is subtracted detached but added back with its gradient, which counts the winner twice: detach both or neither.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                let sum = logits.broadcast_sub(&max.detach())?.exp()?.sum_keepdim(D::Minus1)?;
                max + sum.log()?
            }
        ),
        wrong!(
            "only the added maximum detached",
            "the maximum is subtracted with its gradient but added back detached, which takes the winner's gradient away: detach both or neither.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
                max.detach() + sum.log()?
            }
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so the sums do not line up with the maxima: `sum_keepdim` keeps it, with size 1.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum(D::Minus1)?;
                max + sum.log()?
            }
        ),
        wrong!(
            "sum without keepdim, broadcast",
            "`sum` drops the dimension, so the sums do not line up with the maxima: `sum_keepdim` keeps it, with size 1.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum(D::Minus1)?;
                max.broadcast_add(&sum.log()?)
            }
        ),
        wrong!(
            "maximum without keepdim",
            "`max` drops the dimension, so the maxima do not line up with their rows: `max_keepdim` keeps it, with size 1.",
            |logits| {
                let max = logits.max(D::Minus1)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
                sum.log()?.broadcast_add(&max)
            }
        ),
        wrong!(
            "over the second-last dimension",
            "the sum runs over the second-last dimension, down the columns: use `D::Minus1`.",
            |logits| {
                let max = logits.max_keepdim(D::Minus2)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus2)?;
                max + sum.log()?
            }
        ),
        wrong!(
            "sum of logits",
            "the logits themselves were summed: exponentiate before the sum, take the logarithm after it.",
            |logits| logits.sum_keepdim(D::Minus1)
        ),
        wrong!(
            "logits clamped",
            "the logits are clamped so that nothing overflows: beyond the limit all of them count the same. Subtract each row's maximum, and add it back after the logarithm.",
            |logits| logits.clamp(-80., 80.)?.exp()?.sum_keepdim(D::Minus1)?.log()
        ),
        wrong!(
            "over dimension 0",
            "the sum runs over dimension 0, which is the last one of a single row only: use `D::Minus1`.",
            |logits| {
                let max = logits.max_keepdim(0)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(0)?;
                max + sum.log()?
            }
        ),
        wrong!(
            "dimension written as a number",
            "dimension 1 is the last one of a matrix only: `D::Minus1` is the last one of any tensor.",
            |logits| {
                let last = logits.rank().min(2) - 1;
                let max = logits.max_keepdim(last)?;
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(last)?;
                max + sum.log()?
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |logits| lse_right(&logits.to_dtype(DType::F32)?)
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |logits| through_f32(logits, lse_right)
        ),
    ];
    let mut wrong = with_empty_right(wrong, |logits| logits.sum_keepdim(D::Minus1));
    wrong.extend([
        wrong!(
            "no rows forgotten",
            "with no rows, candle's `max` says \"empty tensor for reduce\": an empty batch is fine, so return the shape (0, 1) before `max` is called.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?;
                max.clone() + logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()?
            }
        ),
        wrong!(
            "empty rows let through",
            "rows without logits got a value, though they have no maximum: call `at_least_one` first.",
            |logits| match logits.elem_count() {
                0 => logits.sum_keepdim(D::Minus1)?.log(),
                _ => lse_right(logits),
            }
        ),
        wrong!(
            "empty rows summed",
            "rows without logits got a value, though they have no maximum: call `at_least_one` first.",
            |logits| match logits.elem_count() {
                0 => logits.sum_keepdim(D::Minus1),
                _ => lse_right(logits),
            }
        ),
        wrong!(
            "an empty batch returned as it came",
            "the empty batch came back as it was, but its last dimension becomes 1, too: `sum_keepdim` of an empty batch has the shape (0, 1).",
            |logits| {
                at_least_one(logits)?;
                if logits.elem_count() == 0 { Ok(logits.clone()) } else { lse_right(logits) }
            }
        ),
    ] as [Wrong<Unary>; 4]);
    wrong
}

fn at_least_one(logits: &Tensor) -> Result<()> {
    if logits.dim(D::Minus1)? == 0 {
        bail!("logits: expected at least one in each row");
    }
    Ok(())
}

fn lse_right(logits: &Tensor) -> Result<Tensor> {
    let max = logits.max_keepdim(D::Minus1)?.detach();
    max.clone() + logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()?
}

pub fn softmax() -> Vec<Wrong<Unary>> {
    let wrong: Vec<Wrong<Unary>> = vec![
        wrong!(
            "no maximum subtracted",
            "exp() overflows f32 above 88, and inf / inf is NaN: subtract each row's maximum before exp(). It cancels in the division.",
            |logits| {
                let exp = logits.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "over the first dimension of a matrix",
            "the sum runs over the second-last dimension (down the columns), so columns sum to 1: use `D::Minus1`.",
            |logits| softmax_over(logits, if logits.rank() > 1 { D::Minus2 } else { D::Minus1 })
        ),
        wrong!(
            "over the second-last dimension",
            "the sum runs over the second-last dimension (down the columns), so columns sum to 1: use `D::Minus1`.",
            |logits| softmax_over(logits, D::Minus2)
        ),
        wrong!(
            "over dimension 0",
            "the softmax runs over dimension 0: use `D::Minus1`, the keys, whatever the number of dimensions.",
            |logits| softmax_over(logits, 0)
        ),
        wrong!(
            "dimension written as a number",
            "dimension 1 is the last one of a matrix only: `D::Minus1` is the last one of any tensor.",
            |logits| softmax_over(logits, 1)
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so the division does not line up, or divides by another row's sum: `sum_keepdim` keeps it, with size 1.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum(D::Minus1)?)
            }
        ),
        wrong!(
            "mean subtracted instead of the maximum",
            "the row's mean is subtracted: logits far above it still overflow. Subtract the maximum.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.mean_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "one sum for the whole tensor",
            "the exponentials are divided by the sum of all rows: each row needs its own sum (`sum_keepdim(D::Minus1)`).",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_all()?)
            }
        ),
        wrong!(
            "maximum of the whole tensor",
            "one maximum was taken for all rows: a row far below it becomes 0 / 0 = NaN. Take each row's own (`max_keepdim(D::Minus1)`).",
            |logits| {
                let exp = logits.broadcast_sub(&logits.flatten_all()?.max(0)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "no exponential",
            "the logits are divided by their own sum, without exp(): negative logits get negative weights.",
            |logits| logits.broadcast_div(&logits.sum_keepdim(D::Minus1)?)
        ),
        wrong!(
            "log-softmax",
            "these are the logarithms of the weights (a log-softmax): exponentiate them.",
            |logits| softmax_right(logits)?.log()
        ),
        wrong!(
            "powers of two",
            "the base is 2, not e: use exp(), or multiply the logits by log₂ e first.",
            |logits| softmax_right(&(logits * std::f64::consts::LN_2)?)
        ),
        wrong!(
            "largest magnitude subtracted",
            "the largest magnitude is subtracted: where all logits are far below 0, that makes them lower still, and 0 / 0 is NaN. Subtract the maximum, whatever its sign.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.abs()?.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "maximum not below zero",
            "the number that is subtracted is never below 0: a row of very negative logits becomes 0 / 0 = NaN. Subtract the row's maximum, whatever its sign.",
            |logits| {
                let max = logits.max_keepdim(D::Minus1)?.maximum(0.)?;
                let exp = logits.broadcast_sub(&max)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "NaN replaced afterwards",
            "NaN was replaced by 0 after the division: what overflowed was the largest exponential, so the key that should win gets nothing. Keep exp() from overflowing instead.",
            |logits| {
                let exp = logits.exp()?;
                let weights = exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?;
                weights.eq(&weights)?.where_cond(&weights, &weights.zeros_like()?)
            }
        ),
        wrong!(
            "NaN hidden",
            "a NaN among the logits comes out as 0: a mistake made earlier is hidden, and will be looked for far from where it was made. Leave NaN as it is.",
            |logits| {
                let weights = softmax_right(logits)?;
                weights.eq(&weights)?.where_cond(&weights, &weights.zeros_like()?)
            }
        ),
        wrong!(
            "1e-6 in the denominator",
            "something was added to the sum to avoid dividing by zero, so rows no longer sum to 1. After subtracting the maximum the sum is at least 1: nothing is needed.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-6)?)
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |logits| softmax_right(&logits.to_dtype(DType::F32)?)
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |logits| through_f32(logits, softmax_right)
        ),
        wrong!(
            "epsilon in the denominator",
            "something was added to the sum to avoid dividing by zero, so rows no longer sum to 1. After subtracting the maximum the sum is at least 1: nothing is needed.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-3)?)
            }
        ),
        wrong!(
            "logits clamped",
            "the logits are clamped instead of shifted: two large ones that differ come out equal. Subtract each row's maximum.",
            |logits| {
                let exp = logits.clamp(-10f32, 10f32)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the logits: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning. Build it from max, exp, sum and division.",
            |logits| softmax_right(&logits.detach())
        ),
        wrong!(
            "sum detached",
            "the denominator was detached: it depends on the logits too, so the gradient lacks the term −w Σ w g. Only the maximum may be detached.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?.detach())
            }
        ),
    ];
    let mut wrong = with_empty_right(wrong, |logits| Ok(logits.clone()));
    wrong.extend([
        wrong!(
            "no rows forgotten",
            "with no rows, candle's `max` says \"empty tensor for reduce\": an empty batch is fine and has an empty softmax, so return it before `max` is called.",
            |logits| {
                let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "empty rows let through",
            "rows without logits go through as if they had a softmax: call `at_least_one` first.",
            |logits| if logits.elem_count() == 0 {
                Ok(logits.clone())
            } else {
                softmax_right(logits)
            }
        ),
    ] as [Wrong<Unary>; 2]);
    wrong
}

pub fn softmax_with_temperature() -> Vec<Wrong<WithTemperature>> {
    vec![
        wrong!(
            "multiplied instead of divided",
            "the logits are multiplied by the temperature: divide, so that hot means flat.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(&(logits * temperature)?)
            }
        ),
        wrong!(
            "weights divided instead of logits",
            "the weights are divided by the temperature after the softmax: they no longer sum to 1. Divide the logits before it.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(logits)? / temperature
            }
        ),
        wrong!(
            "temperature not checked",
            "a temperature of 0, below 0 or NaN goes through: 0 gives NaN, a negative one reverses the order of the weights. Refuse it with `bail!`.",
            |logits, temperature| softmax_right(&(logits / temperature)?)
        ),
        wrong!(
            "NaN goes through",
            "NaN passes `temperature <= 0.`, since every comparison with NaN is false: state what is allowed, positive *and* finite, and refuse everything else.",
            |logits, temperature| {
                if temperature <= 0. || temperature.is_infinite() {
                    bail!("temperature: {temperature}");
                }
                softmax_right(&(logits / temperature)?)
            }
        ),
        wrong!(
            "infinity goes through",
            "an infinite temperature goes through, though it is above 0: what is allowed is positive *and* finite.",
            |logits, temperature| {
                if temperature.is_nan() || temperature <= 0. {
                    bail!("temperature: {temperature}");
                }
                softmax_right(&(logits / temperature)?)
            }
        ),
        wrong!(
            "softmax over dimension 0",
            "the softmax runs over dimension 0: use `D::Minus1`, or call your `softmax`.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_over(&(logits / temperature)?, 0)
            }
        ),
        wrong!(
            "a tensor of f64",
            "the temperature was made a tensor, whose type and shape must then fit the logits': divide by the plain number, `logits / temperature`.",
            |logits, temperature| {
                guard(temperature)?;
                let temperature = Tensor::new(temperature, logits.device())?;
                softmax_right(&logits.broadcast_div(&temperature)?)
            }
        ),
        wrong!(
            "a tensor of f32",
            "the temperature was made a tensor, whose type and shape must then fit the logits': divide by the plain number, `logits / temperature`.",
            |logits, temperature| {
                guard(temperature)?;
                let temperature = Tensor::new(temperature as f32, logits.device())?;
                softmax_right(&logits.broadcast_div(&temperature)?)
            }
        ),
        wrong!(
            "square root taken",
            "the logits are divided by √temperature: divide by the temperature itself.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(&(logits / temperature.sqrt())?)
            }
        ),
        wrong!(
            "temperature through f32",
            "the temperature went through f32, which holds 0.1 to eight digits only, so the weights of f64 logits are off: divide by the f64 as it is.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(&(logits / f64::from(temperature as f32))?)
            }
        ),
        wrong!(
            "computed in f32",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |logits, temperature| {
                guard(temperature)?;
                through_f32(logits, |logits| softmax_right(&(logits / temperature)?))
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the logits: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning. Call your `softmax`.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(&(logits.detach() / temperature)?)
            }
        ),
        wrong!(
            "softmax without the maximum",
            "logits divided by a small temperature overflow exp(): subtract each row's maximum first, or call your `softmax`.",
            |logits, temperature| {
                guard(temperature)?;
                let exp = (logits / temperature)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
    ]
}

fn guard(temperature: f64) -> Result<()> {
    if !(temperature > 0. && temperature.is_finite()) {
        bail!("temperature: expected a positive, finite number; got {temperature}");
    }
    Ok(())
}
