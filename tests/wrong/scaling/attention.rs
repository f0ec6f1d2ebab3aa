//! Wrong attentions.

use super::{softmax_over, softmax_right};
use crate::{
    scaling::Attention,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};

/// Attention with a fault of scale or axis: what it divides scores by, and the dimension of its softmax.
fn attention(
    [query, key, value]: [&Tensor; 3],
    divisor: f64,
    softmax: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    if key.dim(D::Minus2)? == 0 {
        bail!("key: expected at least one");
    }
    let weights = softmax(&(scores(query, key)? / divisor)?)?;
    Ok((weights.matmul(value)?, weights))
}

/// Q·Kᵀ; leading dimensions that differ are an error.
fn scores(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    let rank = query.rank() - 2;
    if key.rank() != query.rank() || query.dims()[..rank] != key.dims()[..rank] {
        bail!("leading dimensions do not fit");
    }
    query.matmul(&key.transpose(D::Minus2, D::Minus1)?)
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
            "the scale was taken from value's last dimension: it depends on query and key, whose dot products it scales.",
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
                let scores = scores(query, key)?;
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
                let logits = (scores(query, key)? / d_k(query)?.sqrt())?;
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
            "no queries forgotten",
            "with no queries, candle's `max` says \"empty tensor for reduce\": call your `softmax`, which takes an empty batch.",
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
            "integer square root",
            "√d_k was rounded down to a whole number, which is right for 4, 16 and 64 only: take the square root of a float.",
            |query, key, value| {
                let root = query.dim(D::Minus1)?.isqrt() as f64;
                attention([query, key, value], root, softmax_right)
            }
        ),
        wrong!(
            "matrices only",
            "`dims2()` takes a matrix only, and queries come with any number of leading dimensions: `dim(D::Minus1)` works at any rank.",
            |query, key, value| {
                let (_, d_k) = query.dims2()?;
                attention([query, key, value], (d_k as f64).sqrt(), softmax_right)
            }
        ),
        wrong!(
            "scale in f32",
            "the scale was computed in f32, so f64 inputs lose half of their digits: take the square root of an f64.",
            |query, key, value| {
                let root = (query.dim(D::Minus1)? as f32).sqrt();
                attention([query, key, value], f64::from(root), softmax_right)
            }
        ),
        wrong!(
            "scale in f32, as a factor",
            "the scale was computed in f32, so f64 inputs lose half of their digits: take the square root of an f64.",
            |query, key, value| {
                let scale = 1. / (query.dim(D::Minus1)? as f32).sqrt();
                attention([query, key, value], 1., |scores| {
                    softmax_right(&(scores * f64::from(scale))?)
                })
            }
        ),
        wrong!(
            "queries detached",
            "the values are right, but no gradient reaches the queries: something detached them, or read their numbers out.",
            |query, key, value| {
                attention([&query.detach(), key, value], d_k(query)?.sqrt(), softmax_right)
            }
        ),
        wrong!(
            "keys detached",
            "the values are right, but no gradient reaches the keys: something detached them, or read their numbers out.",
            |query, key, value| {
                attention([query, &key.detach(), value], d_k(query)?.sqrt(), softmax_right)
            }
        ),
        wrong!(
            "values detached",
            "the values are right, but no gradient reaches `value`: something detached it, or read its numbers out.",
            |query, key, value| {
                attention([query, key, &value.detach()], d_k(query)?.sqrt(), softmax_right)
            }
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` compares only the product of the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. Call `scores` and `weighted_average`.",
            |query, key, value| {
                let scores = query.matmul(&key.transpose(D::Minus2, D::Minus1)?)?;
                let weights = softmax_right(&(scores / d_k(query)?.sqrt())?)?;
                Ok((weights.matmul(value)?, weights))
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |query, key, value| {
                let [query, key, value] = [query, key, value].map(|x| x.to_dtype(DType::F32));
                let query = query?;
                attention([&query, &key?, &value?], d_k(&query)?.sqrt(), softmax_right)
            }
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |query, key, values| {
                let [q, k, v] = [query, key, values].map(|x| x.to_dtype(DType::F32));
                let root = d_k(query)?.sqrt();
                let (output, weights) = attention([&q?, &k?, &v?], root, softmax_right)?;
                Ok((output.to_dtype(query.dtype())?, weights.to_dtype(query.dtype())?))
            }
        ),
    ]
}
