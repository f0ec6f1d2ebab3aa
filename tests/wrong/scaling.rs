//! Week 2's wrong answers.

use super::{Wrong, wrong};
use crate::scaling::{Attention, Binary, Unary, WithTemperature};
use candle_core::{D, DType, Result, Tensor, bail, shape::Dim};

/// A right softmax over `dim`, for wrong answers whose fault lies elsewhere.
fn softmax_over(logits: &Tensor, dim: impl Dim + Copy) -> Result<Tensor> {
    if logits.elem_count() == 0 {
        return if logits.dim(D::Minus1)? > 0 { Ok(logits.clone()) } else { bail!("no logits") };
    }
    let exp = logits.broadcast_sub(&logits.max_keepdim(dim)?)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(dim)?)
}

fn softmax_right(logits: &Tensor) -> Result<Tensor> {
    softmax_over(logits, D::Minus1)
}

/// Sees to empty tensors as the exercise asks, so that a wrong answer is wrong in its fault only.
fn empty_seen_to(
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

pub fn dot_product_variance() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "second moment instead of variance",
            "the mean is not subtracted: the mean of the squares is the variance only when the mean is 0.",
            |query, key| (query * key)?.sum(D::Minus1)?.sqr()?.mean_all()
        ),
        wrong!(
            "sum over dim forgotten",
            "this is the variance of the single products, not of the dot products: sum over the last dimension first.",
            |query, key| {
                let products = (query * key)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "divides by draws minus one",
            "the squared distances are divided by draws − 1 (candle's and PyTorch's `var` do that by default); here their plain mean is asked for.",
            |query, key| (query * key)?.sum(D::Minus1)?.var(0)
        ),
        wrong!(
            "standard deviation",
            "this is the standard deviation: leave the last square root out.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()?.sqrt()
            }
        ),
        wrong!(
            "mean absolute distance",
            "the absolute distances from the mean are averaged: square them.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.abs()?.mean_all()
            }
        ),
        wrong!(
            "mean over dim instead of sum",
            "the products are averaged over the last dimension: a dot product is their sum.",
            |query, key| {
                let products = (query * key)?.mean(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "summed over the draws",
            "the products are summed over the draws (dimension 0): a dot product sums over dim, the last one.",
            |query, key| {
                let products = (query * key)?.sum(0)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "in one pass",
            "E[x²] − E[x]² subtracts two large numbers that are nearly equal when the mean is large, and f32 loses the difference: subtract the mean first.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.sqr()?.mean_all()? - products.mean_all()?.sqr()?
            }
        ),
        wrong!(
            "broadcasts",
            "one key row is paired with all query rows without a word: `*` refuses shapes that differ, `broadcast_mul` does not.",
            |query, key| {
                let products = query.broadcast_mul(key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "all pairs instead of pairs of rows",
            "every query row met every key row: pair row i with row i only (multiply elementwise, then sum over dim).",
            |query, key| {
                let products = query.matmul(&key.t()?)?.flatten_all()?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
    ]
}

pub fn log_sum_exp() -> Vec<Wrong<Unary>> {
    let wrong: Vec<Wrong<Unary>> = vec![
        wrong!(
            "no maximum subtracted",
            "exp() overflows f32 above 88: subtract each row's maximum first, and add it to the logarithm afterwards.",
            |logits| logits.exp()?.sum_keepdim(D::Minus1)?.log()
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
            "the values are right, but the last dimension is gone: keep it with length 1 (`sum_keepdim`, `max_keepdim`).",
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
            "sum of logits",
            "the logits themselves were summed: exponentiate before the sum, take the logarithm after it.",
            |logits| logits.sum_keepdim(D::Minus1)
        ),
    ];
    empty_seen_to(wrong, |logits| logits.sum_keepdim(D::Minus1))
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
            "`sum` drops the dimension, so the division does not line up, or divides by another row's sum: `sum_keepdim` keeps it with length 1.",
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
            "the logits are divided by their own sum, without exp(): negative logits would get negative weights.",
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
    let mut wrong = empty_seen_to(wrong, |logits| Ok(logits.clone()));
    wrong.extend([
        wrong!(
            "no rows not seen to",
            "with no rows at all, candle's `max` gives an error: return the empty tensor as it is (`elem_count() == 0`), after the check that rows are not empty.",
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
            "a temperature of 0, below 0 or NaN goes through: 0 gives NaN, a negative one turns the order round. Refuse it with `bail!`.",
            |logits, temperature| softmax_right(&(logits / temperature)?)
        ),
        wrong!(
            "NaN goes through",
            "NaN passes `temperature <= 0.`, since every comparison with NaN is false: ask for what is allowed, `temperature > 0.`, and negate that.",
            |logits, temperature| {
                if temperature <= 0. || temperature.is_infinite() {
                    bail!("temperature: {temperature}");
                }
                softmax_right(&(logits / temperature)?)
            }
        ),
        wrong!(
            "infinity goes through",
            "an infinite temperature goes through: ask for `is_finite()` as well.",
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
            "square root taken",
            "the logits are divided by √temperature: divide by the temperature itself.",
            |logits, temperature| {
                guard(temperature)?;
                softmax_right(&(logits / temperature.sqrt())?)
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

pub fn entropy() -> Vec<Wrong<Unary>> {
    vec![
        wrong!(
            "ln 0",
            "ln 0 is −inf, and 0 · −inf is NaN: keep the logarithm's argument above 0 (`maximum` with a tiny number).",
            |weights| (weights * weights.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "sign forgotten",
            "the sign is missing: ln w is negative for weights below 1, and entropy is −Σ w ln w.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.sum(D::Minus1)
        ),
        wrong!(
            "in bits",
            "this is the entropy in bits (base 2): the natural logarithm gives nats.",
            |weights| {
                let log = (weights.maximum(1e-38)?.log()? / std::f64::consts::LN_2)?;
                (weights * log)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "mean instead of sum",
            "the terms are averaged over the row: entropy is their sum, the weights already are the average.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.mean(D::Minus1)?.neg()
        ),
        wrong!(
            "epsilon added inside the logarithm",
            "a visible amount was added inside the logarithm, which shifts every entropy: the smallest positive f32 is enough to keep ln away from 0.",
            |weights| (weights * (weights + 1e-3)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "tiny epsilon added inside the logarithm",
            "something was added inside the logarithm, and small weights show it: `maximum` with the smallest positive f32 leaves all others as they are.",
            |weights| (weights * (weights + 1e-9)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "small weights raised",
            "the logarithm's argument is kept above a number that real weights reach, so small weights count too little: the smallest positive f32 is enough.",
            |weights| (weights * weights.maximum(1e-4)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "dimension written as a number",
            "dimension 1 is the last one of a matrix only: `D::Minus1` is the last one of any tensor.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.sum(1)?.neg()
        ),
        wrong!(
            "NaN in the gradient",
            "the value is right, but the gradient at a weight of 0 is NaN: choosing between w ln w and 0 afterwards still sends 0 · NaN back through the logarithm. Keep the logarithm's argument above 0 instead.",
            |weights| {
                let terms = (weights * weights.log()?)?;
                weights.gt(0.)?.where_cond(&terms, &terms.zeros_like()?)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "weight forgotten",
            "Σ −ln w is not weighted: each −ln w counts by its own weight w.",
            |weights| weights.maximum(1e-38)?.log()?.sum(D::Minus1)?.neg()
        ),
    ]
}

pub fn softmax_backward() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "only the diagonal",
            "this treats each weight as if it depended on its own logit alone, w (1 − w) g as for a sigmoid: raising one logit also lowers the other weights.",
            |weights, grad| (weights * (1. - weights)?)? * grad
        ),
        wrong!(
            "mean not subtracted",
            "this is w ∘ g: the row's weighted mean gradient Σ w g is not subtracted.",
            |weights, grad| weights * grad
        ),
        wrong!(
            "plain mean subtracted",
            "the plain mean of the gradients is subtracted: take the mean weighted by w, Σ w g.",
            |weights, grad| weights * grad.broadcast_sub(&grad.mean_keepdim(D::Minus1)?)?
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so the means do not line up with their rows: `sum_keepdim` keeps it with length 1.",
            |weights, grad| {
                let mean = (weights * grad)?.sum(D::Minus1)?;
                weights * grad.broadcast_sub(&mean)?
            }
        ),
        wrong!(
            "weight outside the sum",
            "the plain sum of the gradients is weighted afterwards: each gradient is weighted inside the sum, Σ w g.",
            |weights, grad| {
                let sum = grad.sum_keepdim(D::Minus1)?;
                weights * (grad - weights.broadcast_mul(&sum)?)?
            }
        ),
        wrong!(
            "mean of w g",
            "Σ w g is divided by the number of weights: w already is the average's weight, so it is a sum.",
            |weights, grad| weights
                * grad.broadcast_sub(&(weights * grad)?.mean_keepdim(D::Minus1)?)?
        ),
        wrong!(
            "sign turned",
            "the sign is turned: it is g − Σ w g, not Σ w g − g.",
            |weights, grad| {
                (weights * grad.broadcast_sub(&(weights * grad)?.sum_keepdim(D::Minus1)?)?)?.neg()
            }
        ),
        wrong!(
            "one mean for all rows",
            "one Σ w g is taken over the whole tensor: each row has its own (`sum_keepdim(D::Minus1)`).",
            |weights, grad| weights * grad.broadcast_sub(&(weights * grad)?.sum_all()?)?
        ),
        wrong!(
            "last factor forgotten",
            "g − Σ w g still has to be multiplied by w: a weight of 0 moves nothing.",
            |weights, grad| grad.broadcast_sub(&(weights * grad)?.sum_keepdim(D::Minus1)?)
        ),
    ]
}

/// Attention with a fault of scale or axis: what it divides scores by, and the dimension of its softmax.
fn attention(
    [query, key, value]: [&Tensor; 3],
    divisor: f64,
    softmax: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    if key.dim(D::Minus2)? == 0 {
        bail!("key: expected at least one");
    }
    let weights = softmax(&(query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? / divisor)?)?;
    Ok((weights.matmul(value)?, weights))
}

fn d_k(query: &Tensor) -> Result<f64> {
    Ok(query.dim(D::Minus1)? as f64)
}

pub fn scaled_dot_product_attention() -> Vec<Wrong<Attention>> {
    vec![
        wrong!(
            "scale forgotten",
            "the scores are not divided by √d_k: the weights are too sharp, and get sharper with every dimension.",
            |query, key, value| attention([query, key, value], 1., softmax_right)
        ),
        wrong!(
            "scaled by d_k",
            "the scores are divided by d_k: its square root is what brings their variance back to 1.",
            |query, key, value| attention([query, key, value], d_k(query)?, softmax_right)
        ),
        wrong!(
            "multiplied by the root",
            "the scores are multiplied by √d_k: divide.",
            |query, key, value| attention(
                [query, key, value],
                1. / d_k(query)?.sqrt(),
                softmax_right
            )
        ),
        wrong!(
            "scaled by the value's dimension",
            "the scale comes from value's last dimension: it belongs to query and key, whose dot product it tames.",
            |query, key, value| {
                attention([query, key, value], d_k(value)?.sqrt(), softmax_right)
            }
        ),
        wrong!(
            "d_k from dimension 1",
            "d_k was read from dimension 1, which is seq_q as soon as there is a batch: it is the last dimension, `D::Minus1`.",
            |query, key, value| {
                attention([query, key, value], (query.dim(1)? as f64).sqrt(), softmax_right)
            }
        ),
        wrong!(
            "scaled by the sequence length",
            "the scale comes from the number of keys: the variance of a dot product grows with d_k, the last dimension.",
            |query, key, value| {
                attention([query, key, value], (key.dim(D::Minus2)? as f64).sqrt(), softmax_right)
            }
        ),
        wrong!(
            "scaled after the softmax",
            "the weights are divided after the softmax: they no longer sum to 1. Scale the scores before it.",
            |query, key, value| {
                let scores = query.matmul(&key.transpose(D::Minus2, D::Minus1)?)?;
                let weights = (softmax_right(&scores)? / d_k(query)?.sqrt())?;
                Ok((weights.matmul(value)?, weights))
            }
        ),
        wrong!(
            "softmax over queries",
            "the softmax runs over the queries, so columns sum to 1: each query shares its weight among the keys, the last dimension.",
            |query, key, value| {
                attention([query, key, value], d_k(query)?.sqrt(), |logits| {
                    softmax_over(logits, D::Minus2)
                })
            }
        ),
        wrong!(
            "scores returned as weights",
            "the output is right, but the second tensor holds the scores: return the weights after the softmax.",
            |query, key, value| {
                let logits =
                    (query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? / d_k(query)?.sqrt())?;
                Ok((softmax_right(&logits)?.matmul(value)?, logits))
            }
        ),
        wrong!(
            "no softmax",
            "the values are averaged by raw scores: the softmax between scores and values is missing.",
            |query, key, value| attention([query, key, value], d_k(query)?.sqrt(), |logits| Ok(
                logits.clone()
            ))
        ),
        wrong!(
            "logits clamped",
            "the scores are clamped so that nothing overflows: two large ones that differ come out equal. Subtract each row's maximum.",
            |query, key, value| {
                attention([query, key, value], d_k(query)?.sqrt(), |logits| {
                    softmax_right(&logits.clamp(-80., 80.)?)
                })
            }
        ),
        wrong!(
            "no queries not seen to",
            "with no queries, candle's `max` gives an error: your `softmax` of no rows is no rows, so call it.",
            |query, key, value| {
                attention([query, key, value], d_k(query)?.sqrt(), |logits| {
                    let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
                    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
                })
            }
        ),
        wrong!(
            "weights detached",
            "the output is right, but the weights that come back have no gradient: return the tensor that the output was made with.",
            |query, key, value| {
                let (output, weights) =
                    attention([query, key, value], d_k(query)?.sqrt(), softmax_right)?;
                Ok((output, weights.detach()))
            }
        ),
        wrong!(
            "softmax without the maximum",
            "the softmax overflows for large scores: subtract each row's maximum before exp(), or call your `softmax`.",
            |query, key, value| {
                attention([query, key, value], d_k(query)?.sqrt(), |logits| {
                    let exp = logits.exp()?;
                    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
                })
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches query and key: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning.",
            |query, key, value| {
                attention([query, key, value], d_k(query)?.sqrt(), |logits| {
                    softmax_right(&logits.detach())
                })
            }
        ),
        wrong!(
            "computed in f32",
            "an f64 input comes back as f32: take the type from the input, and multiply by a number instead of an f32 tensor.",
            |query, key, value| {
                let [query, key, value] = [query, key, value].map(|x| x.to_dtype(DType::F32));
                let query = query?;
                attention([&query, &key?, &value?], d_k(&query)?.sqrt(), softmax_right)
            }
        ),
    ]
}
