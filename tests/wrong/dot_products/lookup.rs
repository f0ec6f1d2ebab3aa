//! Wrong averages by weight and wrong lookups.

use super::{product, scores_right, through_f32, unit};
use crate::{
    dot_products::{Binary, Lookup, weights_of},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, IndexOp, Result, Tensor, bail};

pub fn weighted_average() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "weights transposed",
            "the weights were transposed: row i of the output uses row i of the weights.",
            |weights, value| {
                let [seq_q, seq_k] = [weights.dim(D::Minus2)?, weights.dim(D::Minus1)?];
                if seq_q != seq_k {
                    return product(weights, value);
                }
                product(&weights.transpose(D::Minus2, D::Minus1)?, value)
            }
        ),
        wrong!(
            "divided by the number of values",
            "the sum was divided by the number of values as well: weights that sum to one already make an average.",
            |weights, value| product(weights, value)? / value.dim(D::Minus2)?.max(1) as f64
        ),
        wrong!(
            "weights normalised again",
            "the weights were divided by their sum once more: take them as they are; making them sum to one is `naive_softmax`'s job.",
            |weights, value| {
                let sums = weights.sum_keepdim(D::Minus1)?;
                let output = product(weights, value)?;
                // No weights: leave the zeros as they are.
                if weights.elem_count() == 0 { Ok(output) } else { output.broadcast_div(&sums) }
            }
        ),
        wrong!(
            "plain mean",
            "this is the plain mean of the values: the weights are not used.",
            |weights, value| {
                let equal = match weights.elem_count() {
                    0 => weights.clone(),
                    _ => (weights.ones_like()? / weights.dim(D::Minus1)? as f64)?,
                };
                product(&equal, value)
            }
        ),
        wrong!(
            "highest weight takes all",
            "only the value with the highest weight came through: that is the hard lookup. Add up all values, each times its weight.",
            |weights, value| {
                if weights.elem_count() == 0 {
                    return product(weights, value);
                }
                let best = weights
                    .broadcast_eq(&weights.max_keepdim(D::Minus1)?)?
                    .to_dtype(weights.dtype())?;
                product(&best, value)
            }
        ),
        wrong!(
            "squared weights",
            "each weight was used twice, once too often: the values are multiplied by the weights' squares.",
            |weights, value| product(&weights.sqr()?, value)
        ),
        wrong!(
            "first batch element's values for all",
            "all weights met the values of the first batch element: each batch element (and head) has its own.",
            |weights, value| {
                if weights.rank() == 2 || value.elem_count() == 0 {
                    return product(weights, value);
                }
                product(weights, &value.i(0..1)?.broadcast_as(value.shape())?.contiguous()?)
            }
        ),
        wrong!(
            "values cut to the weights",
            "values without a weight, or weights without a value, were dropped: numbers that do not fit are a mistake of the caller, so return an error.",
            |weights, value| {
                let n = weights.dim(D::Minus1)?.min(value.dim(D::Minus2)?);
                product(&weights.narrow(D::Minus1, 0, n)?, &value.narrow(D::Minus2, 0, n)?)
            }
        ),
        wrong!(
            "broadcast",
            "`broadcast_matmul` repeats a batch of 1 for a batch of 2: leading dimensions that differ are a mistake of the caller. `matmul` from `crate::matmul` refuses them.",
            |weights, value| weights.broadcast_matmul(value)
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` compares only the product of the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. `matmul` from `crate::matmul` compares them one by one.",
            |weights, value| weights.matmul(value)
        ),
        wrong!(
            "gradient of the weights lost",
            "the values are right, but no gradient reaches the weights: something detached them, or read their numbers out.",
            |weights, value| product(&weights.detach(), value)
        ),
        wrong!(
            "gradient of the values lost",
            "the output is right, but no gradient reaches the values: something detached them, or read their numbers out.",
            |weights, value| product(weights, &value.detach())
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |weights, value| {
                product(&weights.to_dtype(DType::F32)?, &value.to_dtype(DType::F32)?)
            }
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |weights, value| through_f32(weights, value, product)
        ),
        wrong!(
            "no values refused",
            "with no values there is nothing to add up, and it gave an error: an empty sum is 0, so return zeros of the output's shape.",
            |weights, value| match value.dim(D::Minus2)? {
                0 => bail!("no values"),
                _ => product(weights, value),
            }
        ),
    ]
}

/// A lookup with a fault of its own in the scores or in the weights.
fn lookup(
    [query, key, value]: [&Tensor; 3],
    weigh: impl Fn(Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let weights = weigh(scores_right(query, key)?)?;
    Ok((product(&weights, value)?, weights))
}

pub fn soft_lookup() -> Vec<Wrong<Lookup>> {
    vec![
        wrong!(
            "scaled",
            "the scores are divided by √dim already: that scale is week 2's, here the plain dot products are asked for.",
            |query, key, value| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                lookup([query, key, value], |scores| weights_of(&(scores / root)?))
            }
        ),
        wrong!(
            "no weights made",
            "the values are mixed by raw scores: they are not positive, do not sum to one, and the output leaves the range of the values. `naive_softmax` belongs in between.",
            |query, key, value| lookup([query, key, value], Ok)
        ),
        wrong!(
            "hard lookup",
            "the best key took all: that is the hard lookup. Weight the keys by exponentials, so that the others get their share.",
            |query, key, value| lookup([query, key, value], |scores| {
                if scores.elem_count() == 0 {
                    return Ok(scores);
                }
                let best = scores
                    .broadcast_eq(&scores.max_keepdim(D::Minus1)?)?
                    .to_dtype(scores.dtype())?;
                best.broadcast_div(&best.sum_keepdim(D::Minus1)?)
            })
        ),
        wrong!(
            "weights down the columns",
            "the weights sum to one down the columns, over the queries: a query shares its weight among the keys, the last dimension.",
            |query, key, value| lookup([query, key, value], |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus2)?)
            })
        ),
        wrong!(
            "compared by cosine",
            "queries and keys are compared by cosine: here the plain dot product counts, so that a query of larger norm gets sharper weights.",
            |query, key, value| {
                lookup([&unit(query)?, &unit(key)?, value], |scores| weights_of(&scores))
            }
        ),
        wrong!(
            "keys handed over",
            "the keys were mixed, not the values: keys only decide the weights.",
            |query, key, value| {
                let weights = weights_of(&scores_right(query, key)?)?;
                product(&weights, value)?;
                Ok((product(&weights, key)?, weights))
            }
        ),
        wrong!(
            "scores returned as weights",
            "the output is right, but the second tensor holds the scores: return the weights that made the output.",
            |query, key, value| {
                let scores = scores_right(query, key)?;
                Ok((product(&weights_of(&scores)?, value)?, scores))
            }
        ),
        wrong!(
            "weights first",
            "output and weights are in the wrong order: the output comes first.",
            |query, key, value| {
                let (output, weights) = lookup([query, key, value], |scores| weights_of(&scores))?;
                Ok((weights, output))
            }
        ),
        wrong!(
            "mixed twice",
            "the weights were squared on the way: multiply the values by them once.",
            |query, key, value| {
                let weights = weights_of(&scores_right(query, key)?)?;
                Ok((product(&weights.sqr()?, value)?, weights))
            }
        ),
        wrong!(
            "gradient of the weights lost",
            "the values are right, but no gradient reaches query and key: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning.",
            |query, key, value| lookup([query, key, value], |scores| weights_of(&scores.detach()))
        ),
        wrong!(
            "keys detached",
            "the values are right, but no gradient reaches the keys: something detached them, or read their numbers out.",
            |query, key, value| {
                lookup([query, &key.detach(), value], |scores| weights_of(&scores))
            }
        ),
        wrong!(
            "values detached",
            "the output is right, but no gradient reaches `value`: something detached it, or read its numbers out.",
            |query, key, value| {
                lookup([query, key, &value.detach()], |scores| weights_of(&scores))
            }
        ),
        wrong!(
            "no queries forgotten",
            "with no queries, candle's `max` says \"empty tensor for reduce\": your `naive_softmax` needs no maximum, so call it.",
            |query, key, value| lookup([query, key, value], |scores| {
                let exp = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
                exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
            })
        ),
        wrong!(
            "weights detached",
            "the output is right, but no gradient goes through the weights that come back: return the tensor that the output was made with.",
            |query, key, value| {
                let (output, weights) = lookup([query, key, value], |scores| weights_of(&scores))?;
                Ok((output, weights.detach()))
            }
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` compares only the product of the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. Call your `scores` and `weighted_average`.",
            |query, key, value| {
                let weights = weights_of(&query.matmul(&key.transpose(D::Minus2, D::Minus1)?)?)?;
                Ok((weights.matmul(value)?, weights))
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |query, key, value| {
                let [query, key, value] = [query, key, value].map(|x| x.to_dtype(DType::F32));
                lookup([&query?, &key?, &value?], |scores| weights_of(&scores))
            }
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |query, key, values| {
                let [q, k, v] = [query, key, values].map(|x| x.to_dtype(DType::F32));
                let (output, weights) = lookup([&q?, &k?, &v?], |scores| weights_of(&scores))?;
                Ok((output.to_dtype(query.dtype())?, weights.to_dtype(query.dtype())?))
            }
        ),
    ]
}
