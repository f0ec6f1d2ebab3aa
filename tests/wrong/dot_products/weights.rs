//! Wrong weights.

use crate::{
    dot_products::{Normalise, weights_of},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType};

pub fn naive_softmax() -> Vec<Wrong<Normalise>> {
    vec![
        wrong!(
            "no exponential",
            "the scores are divided by their own sum, without exp(): a negative score gets a negative weight, and a sum of 0 gives infinities.",
            |scores| scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so each column was divided by another row's sum, or nothing lined up: `sum_keepdim` keeps it, with size 1.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sum(D::Minus1)?)
            }
        ),
        wrong!(
            "not divided",
            "the exponentials are positive, but nothing makes them sum to one: divide each row by its sum.",
            |scores| scores.exp()
        ),
        wrong!(
            "one sum for all rows",
            "all rows were divided by one sum (`sum_all`): each row needs its own, `sum_keepdim(D::Minus1)`.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sum_all()?)
            }
        ),
        wrong!(
            "down the columns",
            "the sum runs down the columns: the weights of one query, a row, must sum to one. Use `D::Minus1`.",
            |scores| {
                let exp = scores.exp()?;
                let dim = if scores.rank() > 1 { D::Minus2 } else { D::Minus1 };
                exp.broadcast_div(&exp.sum_keepdim(dim)?)
            }
        ),
        wrong!(
            "over dimension 0",
            "the sum runs over dimension 0: use `D::Minus1`, the keys, whatever the number of dimensions.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(0)?)
            }
        ),
        wrong!(
            "squares instead of exponentials",
            "squaring makes the scores positive, but −3 then weighs as much as 3: exp() is positive and keeps the order.",
            |scores| {
                let squares = scores.sqr()?;
                squares.broadcast_div(&squares.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "negative scores cut to zero",
            "negative scores were cut to 0 (`relu`) and the rest divided by its sum: a row with no positive score then has no weights at all, and exp() is missing.",
            |scores| {
                let positive = scores.relu()?;
                positive.broadcast_div(&positive.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!("powers of two", "the base is 2: use exp(), the powers of e.", |scores| {
            weights_of(&(scores * std::f64::consts::LN_2)?)
        }),
        wrong!(
            "a sigmoid for each score",
            "each score was turned into a weight on its own, e^x / (1 + e^x): the weights of a row must share one sum, so that one key's gain is another's loss.",
            |scores| {
                let exp = scores.exp()?;
                &exp / (&exp + 1.)?
            }
        ),
        wrong!(
            "unit norm",
            "the exponentials were divided by the root of their sum of squares, which gives a vector of norm one: here the plain sum must be one.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
            }
        ),
        wrong!(
            "winner takes all",
            "the highest score got the whole weight: that is the hard lookup. The soft one shares, by exponentials.",
            |scores| {
                if scores.elem_count() == 0 {
                    return Ok(scores.clone());
                }
                let best = scores
                    .broadcast_eq(&scores.max_keepdim(D::Minus1)?)?
                    .to_dtype(scores.dtype())?;
                best.broadcast_div(&best.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "epsilon in the denominator",
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, so nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-3)?)
            }
        ),
        wrong!(
            "1e-6 in the denominator",
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, so nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-6)?)
            }
        ),
        wrong!(
            "1e-8 in the denominator",
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, so nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-8)?)
            }
        ),
        wrong!(
            "sign reversed",
            "the lowest score got the highest weight: exp(score), not exp(−score).",
            |scores| weights_of(&scores.neg()?)
        ),
        wrong!(
            "divided by the largest",
            "the exponentials were divided by the largest one of the row: the highest weight is 1, but the row does not sum to 1. Divide by the sum.",
            |scores| {
                let exp = scores.exp()?;
                if exp.elem_count() == 0 {
                    Ok(exp)
                } else {
                    exp.broadcast_div(&exp.max_keepdim(D::Minus1)?)
                }
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |scores| weights_of(&scores.to_dtype(DType::F32)?)
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |scores| weights_of(&scores.to_dtype(DType::F32)?)?.to_dtype(scores.dtype())
        ),
        wrong!(
            "no rows forgotten",
            "subtracting the maximum is right, and comes in week 2, but with no rows candle's `max` says \"empty tensor for reduce\": an empty batch is fine and has no weights, so return it first.",
            |scores| {
                let exp = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "sum detached",
            "the values are right, but the denominator was detached: it depends on the scores too, so its share of the gradient is missing.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?.detach())
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the scores: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning. Use exp, sum and division.",
            |scores| weights_of(&scores.detach())
        ),
    ]
}
