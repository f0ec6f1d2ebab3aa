//! Wrong masked softmaxes and wrong masked attentions.

use crate::{
    masking::{MaskedAttention, MaskedSoftmax},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::ops::softmax;

const NEVER: f64 = f64::NEG_INFINITY;

/// The scores with hidden ones replaced by `hidden`, or with an additive mask added.
fn hide(scores: &Tensor, mask: Option<&Tensor>, hidden: f64) -> Result<Tensor> {
    let shape = scores.shape();
    match mask {
        None => Ok(scores.clone()),
        Some(keep) if keep.dtype() == DType::U8 => {
            let hidden = (scores.zeros_like()? + hidden)?;
            keep.broadcast_as(shape)?.where_cond(scores, &hidden)
        }
        Some(additive) => scores + additive.broadcast_as(shape)?, // candle refuses other types
    }
}

/// 1 for each score whose row sees something (u8), given scores with −∞ for the hidden.
fn sees(logits: &Tensor) -> Result<Tensor> {
    logits.max_keepdim(D::Minus1)?.ne(NEVER)?.broadcast_as(logits.shape())
}

/// Weights of scores with −∞ for the hidden: zeros in rows with nothing to see, `over` elsewhere.
fn weights(logits: &Tensor, over: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let zeros = logits.zeros_like()?;
    if logits.elem_count() == 0 {
        return Ok(zeros);
    }
    let sees = sees(logits)?;
    sees.where_cond(&over(&sees.where_cond(logits, &zeros)?)?, &zeros)
}

fn over_keys(logits: &Tensor) -> Result<Tensor> {
    softmax(logits, D::Minus1)
}

fn right(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    weights(&hide(scores, mask, NEVER)?, over_keys)
}

/// `right`, but with another way for keep-masks over scores that are not empty.
fn with_keep(
    scores: &Tensor,
    mask: Option<&Tensor>,
    weights: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    match mask {
        Some(keep) if keep.dtype() == DType::U8 && scores.elem_count() > 0 => {
            weights(scores, &keep.broadcast_as(scores.shape())?)
        }
        _ => right(scores, mask),
    }
}

/// `right`, but with scores broadcast to a keep-mask, too.
fn with_stretched(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    match mask {
        Some(keep) if keep.dtype() == DType::U8 && scores.elem_count() > 0 => {
            let shape = scores.shape().broadcast_shape_binary_op(keep.shape(), "mask")?;
            right(&scores.broadcast_as(shape)?.contiguous()?, mask)
        }
        mask => right(scores, mask),
    }
}

/// The plain softmax where nothing is seen or not: NaN in rows of −∞.
fn unguarded(scores: &Tensor, mask: Option<&Tensor>, hidden: f64) -> Result<Tensor> {
    let logits = hide(scores, mask, hidden)?;
    if logits.elem_count() == 0 { Ok(logits) } else { over_keys(&logits) }
}

/// exp(score − maximum of the whole row), hidden keys included.
fn exponentials(scores: &Tensor) -> Result<Tensor> {
    scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()
}

pub fn masked_softmax() -> Vec<Wrong<MaskedSoftmax>> {
    vec![
        wrong!(
            "mask inverted",
            "the keep-mask is read the wrong way round: 1 means may attend, so it is the scores under a 0 that become −∞.",
            |scores, mask| with_keep(scores, mask, |scores, keep| right(
                scores,
                Some(&keep.eq(0u8)?)
            ))
        ),
        wrong!(
            "0 and 1 added",
            "the keep-mask's 0 and 1 were added to the scores: that is a bias of 1, and nothing is hidden. Hidden scores become −∞.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                over_keys(&(scores + keep.to_dtype(scores.dtype())?)?)
            })
        ),
        wrong!(
            "scores multiplied",
            "the scores are multiplied by the mask, so hidden scores become 0: e⁰ is 1, not 0. It takes −∞ to get weight 0.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                over_keys(&(scores * keep.to_dtype(scores.dtype())?)?)
            })
        ),
        wrong!(
            "mask after the softmax",
            "the mask is applied after the softmax: hidden keys have taken their part of the sum already, so the rest no longer sums to 1.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                over_keys(scores)? * keep.to_dtype(scores.dtype())?
            })
        ),
        wrong!(
            "mask after the softmax, rows divided by their sum",
            "the mask is applied after the exponentials and the rows are divided by what is left: a large hidden score has pushed the visible ones to 0 already, and 0 / 0 is NaN. Mask the scores.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                let visible = (exponentials(scores)? * keep.to_dtype(scores.dtype())?)?;
                let sum = visible.sum_keepdim(D::Minus1)?;
                let none = keep.max_keepdim(D::Minus1)?.eq(0u8)?.to_dtype(scores.dtype())?;
                visible.broadcast_div(&(sum + none)?)
            })
        ),
        wrong!(
            "softmax times the mask, divided by the sum",
            "the softmax of all scores is multiplied by the mask and divided by what is left: a large hidden score has pushed the visible weights to 0 already, so nothing is left to divide. Mask the scores.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                let visible = (over_keys(scores)? * keep.to_dtype(scores.dtype())?)?;
                let sum = visible.sum_keepdim(D::Minus1)?;
                let sum = sum.eq(0.)?.where_cond(&sum.ones_like()?, &sum)?;
                visible.broadcast_div(&sum)
            })
        ),
        wrong!(
            "small number added to the sum",
            "a small number was added to the sum so that empty rows do not divide by zero: now no row sums to 1. Treat rows with nothing to see on their own.",
            |scores, mask| weights(&hide(scores, mask, NEVER)?, |logits| {
                let exp = exponentials(logits)?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-4)?)
            })
        ),
        wrong!(
            "NaN where nothing is seen",
            "a row of −∞ gives NaN: the maximum is −∞, and −∞ − (−∞) is NaN. Such a row must be found before the softmax, and get zeros.",
            |scores, mask| unguarded(scores, mask, NEVER)
        ),
        wrong!(
            "NaN where nothing is seen, additive masks only",
            "a row of −∞ is found in a keep-mask and not in an additive one: look for it in the masked scores, where both look alike.",
            |scores, mask| match mask {
                Some(additive) if additive.dtype() == scores.dtype() => {
                    unguarded(scores, mask, NEVER)
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "0 times infinity",
            "0 · −∞ is NaN, so every visible key is poisoned: choose between score and −∞ instead of multiplying.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                over_keys(&(scores + ((1. - keep.to_dtype(scores.dtype())?)? * NEVER)?)?)
            })
        ),
        wrong!(
            "-1e4 added",
            "−1e4 is added to hidden scores, as in older code: a row with nothing to see keeps the weights that it has without a mask, and a hidden score of 10 000 is back at 0.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                over_keys(&(scores + ((1. - keep.to_dtype(scores.dtype())?)? * -1e4)?)?)
            })
        ),
        wrong!(
            "low numbers of an additive mask hide",
            "an additive mask is compared with `HIDES`: here only −∞ hides, every other number is added to the scores.",
            |scores, mask| match mask {
                Some(additive) if additive.dtype() == scores.dtype() => {
                    let low = additive.le(-1000.)?;
                    let never = (additive.zeros_like()? + NEVER)?;
                    right(scores, Some(&low.where_cond(&never, additive)?))
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "-1e9",
            "hidden scores become −1e9 instead of −∞: where nothing is seen all keys are equally low and get equal weights, as if there were no mask; and a visible score below −1e9 loses to a hidden one.",
            |scores, mask| with_keep(scores, mask, |scores, keep| unguarded(
                scores,
                Some(keep),
                -1e9
            ))
        ),
        wrong!(
            "-1e4",
            "hidden scores become −1e4 instead of −∞: where nothing is seen all keys get equal weights, and a visible score below −1e4 loses to a hidden one.",
            |scores, mask| with_keep(scores, mask, |scores, keep| unguarded(
                scores,
                Some(keep),
                -1e4
            ))
        ),
        wrong!(
            "-1e9, then multiplied by the mask",
            "hidden scores become −1e9, and the weights are multiplied by the mask afterwards: a visible score below −1e9 has lost everything to a hidden one by then, and its row comes out as zeros.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                unguarded(scores, Some(keep), -1e9)? * keep.to_dtype(scores.dtype())?
            })
        ),
        wrong!(
            "lowest f32, then multiplied by the mask",
            "hidden scores become the lowest f32, and the weights are multiplied by the mask afterwards: in f16 that number is −∞, and a row of −∞ gives NaN, which no product turns into 0.",
            |scores, mask| with_keep(scores, mask, |scores, keep| {
                unguarded(scores, Some(keep), f32::MIN.into())? * keep.to_dtype(scores.dtype())?
            })
        ),
        wrong!(
            "half precision comes back as f32",
            "f16 and bf16 scores give f32 weights: a result has the type of its scores.",
            |scores, mask| {
                if ![DType::F16, DType::BF16].contains(&scores.dtype()) {
                    return right(scores, mask);
                }
                right(scores, mask)?; // refuses what it must
                let mask = match mask {
                    Some(mask) if mask.dtype() != DType::U8 => Some(mask.to_dtype(DType::F32)?),
                    mask => mask.cloned(),
                };
                right(&scores.to_dtype(DType::F32)?, mask.as_ref())
            }
        ),
        wrong!(
            "lowest number",
            "hidden scores become the lowest f32 instead of −∞: where nothing is seen all keys get equal weights.",
            |scores, mask| with_keep(scores, mask, |scores, keep| unguarded(
                scores,
                Some(keep),
                f32::MIN.into()
            ))
        ),
        wrong!(
            "equal weights where nothing is seen",
            "a row with nothing to see gets equal weights for all keys: it would average what it must not see. It gets zeros.",
            |scores, mask| {
                let logits = hide(scores, mask, NEVER)?;
                if logits.elem_count() == 0 {
                    return Ok(logits);
                }
                over_keys(&sees(&logits)?.where_cond(&logits, &logits.zeros_like()?)?)
            }
        ),
        wrong!(
            "NaN replaced afterwards",
            "the weights are right, but the gradient is NaN: the NaN was replaced after the softmax, and backward multiplies its zero by the NaN that is still inside. Replace the row of −∞ before the softmax.",
            |scores, mask| {
                let logits = hide(scores, mask, NEVER)?;
                if logits.elem_count() == 0 {
                    return Ok(logits);
                }
                sees(&logits)?.where_cond(&over_keys(&logits)?, &logits.zeros_like()?)
            }
        ),
        wrong!(
            "softmax over queries",
            "the softmax runs over the queries: each query shares its weight among the keys, the last dimension.",
            |scores, mask| weights(&hide(scores, mask, NEVER)?, |logits| softmax(
                logits,
                D::Minus2
            ))
        ),
        wrong!(
            "biases dropped",
            "an additive mask is read as a keep-mask, so its other numbers are lost: add it to the scores as it is.",
            |scores, mask| match mask {
                Some(additive) if additive.dtype() == scores.dtype() => {
                    let keep = additive.ne(NEVER)?;
                    right(scores, Some(&keep))
                }
                _ => right(scores, mask),
            }
        ),
        wrong!(
            "biases hide",
            "an additive mask is read as a keep-mask of its zeros (`mask.eq(0.)`), so a bias is treated as hidden: add the mask to the scores as it is.",
            |scores, mask| match mask {
                Some(additive) if additive.dtype() == scores.dtype() => {
                    right(scores, Some(&additive.eq(0.)?))
                }
                _ => right(scores, mask),
            }
        ),
        wrong!(
            "−∞ in f32",
            "f32 works, and other types are an error: a tensor that you made is f32 whatever the scores are. Convert it with `to_dtype(scores.dtype())`.",
            |scores, mask| match mask {
                Some(keep) if keep.dtype() == DType::U8 && scores.dtype() != DType::F32 => {
                    bail!("dtype mismatch in where_cond")
                }
                _ => right(scores, mask),
            }
        ),
        wrong!(
            "NaN where scores are −∞ without a mask",
            "without a mask a row of −∞ gives NaN: scores may hold −∞ already. Look for such rows in the masked scores, whether there is a mask or not.",
            |scores, mask| match mask {
                None => unguarded(scores, None, NEVER),
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "rows looked for in the mask",
            "rows with nothing to see are looked for in the mask: scores may hold −∞ already, so such a row shows only in the masked scores.",
            |scores, mask| match mask {
                Some(mask) if scores.elem_count() > 0 => {
                    let (logits, shape) = (hide(scores, Some(mask), NEVER)?, scores.shape());
                    let keep = if mask.dtype() == DType::U8 { mask } else { &mask.ne(NEVER)? };
                    let sees = keep.broadcast_as(shape)?.contiguous()?.max_keepdim(D::Minus1)?;
                    let (sees, zeros) = (sees.broadcast_as(shape)?, scores.zeros_like()?);
                    sees.where_cond(&over_keys(&sees.where_cond(&logits, &zeros)?)?, &zeros)
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "no mask, no softmax",
            "without a mask the scores come back as they are: `None` means that nothing is hidden, and the softmax is still due.",
            |scores, mask| match mask {
                None => Ok(scores.clone()),
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "mask not broadcast",
            "the mask is not broadcast: candle's `where_cond` and `+` want equal shapes.",
            |scores, mask| match mask {
                Some(mask) if mask.dims() != scores.dims() => bail!("shape mismatch"),
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "additive mask not broadcast",
            "a keep-mask is broadcast to the scores' shape, an additive mask is not: candle's `+` wants equal shapes.",
            |scores, mask| match mask {
                Some(mask) if mask.dtype() != DType::U8 && mask.dims() != scores.dims() => {
                    bail!("shape mismatch")
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "lowest number taken for −∞",
            "the lowest finite number of an additive mask is taken for −∞: it is added like any other, and over a whole row it shifts all scores alike.",
            |scores, mask| match mask {
                Some(additive)
                    if additive.dtype() == DType::F32 && scores.dtype() == DType::F32 =>
                {
                    let lowest = additive.le(f64::from(f32::MIN))?;
                    let never = (additive.zeros_like()? + NEVER)?;
                    right(scores, Some(&lowest.where_cond(&never, additive)?))
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "logarithm of the sum lost",
            "written as exp(score − ln Σ), the weights of a row of very low numbers do not sum to 1: ln Σ is smaller than half the distance between such numbers, and vanishes. Divide by the sum instead.",
            |scores, mask| weights(&hide(scores, mask, NEVER)?, |logits| {
                let max = logits.max_keepdim(D::Minus1)?.detach();
                let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
                logits.broadcast_sub(&(max + sum.log()?)?)?.exp()
            })
        ),
        wrong!(
            "f64 by way of f32",
            "the weights are computed in f32 and converted back, so f64 scores lose half of their digits.",
            |scores, mask| {
                right(scores, mask)?; // refuses what it must
                if scores.dtype() != DType::F64 {
                    return right(scores, mask);
                }
                let mask = match mask {
                    Some(mask) if mask.dtype() != DType::U8 => Some(mask.to_dtype(DType::F32)?),
                    mask => mask.cloned(),
                };
                right(&scores.to_dtype(DType::F32)?, mask.as_ref())?.to_dtype(DType::F64)
            }
        ),
        wrong!(
            "computed in f32",
            "the weights are f32 whatever the scores are: take the type from the scores, also for −∞.",
            |scores, mask| {
                right(scores, mask)?; // refuses what it must
                let mask = match mask {
                    Some(mask) if mask.dtype() != DType::U8 => Some(mask.to_dtype(DType::F32)?),
                    mask => mask.cloned(),
                };
                right(&scores.to_dtype(DType::F32)?, mask.as_ref())
            }
        ),
        wrong!(
            "mask of one dimension refused",
            "a mask (seq_k) is refused because it has no dimension for the queries: `broadcast_as` adds the dimensions that a mask lacks.",
            |scores, mask| {
                if let Some(mask) = mask {
                    mask.dim(D::Minus2)?; // an error for one dimension
                }
                right(scores, mask)
            }
        ),
        wrong!(
            "scores stretched to the mask",
            "scores are stretched to a keep-mask that has more rows, or more dimensions, than they have: the mask is broadcast to the scores' shape, never the other way.",
            with_stretched
        ),
        wrong!(
            "no keys refused",
            "scores without keys or queries are an error here (candle's `max` refuses an empty tensor): there is nothing to weigh, so look for that first and return an empty result of the scores' shape.",
            |scores, mask| {
                if scores.elem_count() == 0 {
                    bail!("no scores");
                }
                right(scores, mask)
            }
        ),
        wrong!(
            "mask of another type converted",
            "a mask of any type is taken and converted: u32 could mean 0/1 in either convention, or lengths. Refuse what is neither u8 nor the scores' type.",
            |scores, mask| match mask {
                Some(mask) if mask.dtype() == DType::U32 =>
                    right(scores, Some(&mask.to_dtype(DType::U8)?)),
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "scores grow to the mask's shape",
            "a mask with more dimensions makes the result larger than the scores (`broadcast_add` widens both): the mask is broadcast to the scores' shape, never the other way.",
            |scores, mask| match mask {
                Some(additive) if additive.dtype() == scores.dtype() => {
                    weights(&scores.broadcast_add(additive)?, over_keys)
                }
                mask => right(scores, mask),
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the scores: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning.",
            |scores, mask| right(&scores.detach(), mask)
        ),
        wrong!(
            "gradient of the mask lost",
            "the values are right, but no gradient reaches an additive mask: it was detached. A bias may be learned.",
            |scores, mask| right(scores, mask.map(Tensor::detach).as_ref())
        ),
    ]
}

/// Attention with a fault in how scores become weights.
fn attention(
    [query, key, value]: [&Tensor; 3],
    weights: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let d_k = (query.dim(D::Minus1)? as f64).sqrt();
    let weights = weights(&(product(query, &key.transpose(D::Minus2, D::Minus1)?)? / d_k)?)?;
    Ok((product(&weights, value)?, weights))
}

/// A matrix product of equal leading dimensions.
fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.dims(), b.dims()) {
        ([batch_a @ .., _, _], [batch_b @ .., _, _]) if batch_a == batch_b => a.matmul(b),
        _ => bail!("leading dimensions do not fit"),
    }
}

pub fn masked_attention() -> Vec<Wrong<MaskedAttention>> {
    vec![
        wrong!(
            "mask ignored",
            "the mask has no effect: it takes part in the softmax of the scores.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                right(scores, mask)?; // refuses what it must
                right(scores, None)
            })
        ),
        wrong!(
            "mask inverted",
            "the keep-mask is read the wrong way round: 1 means may attend.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                with_keep(scores, mask, |scores, keep| right(scores, Some(&keep.eq(0u8)?)))
            })
        ),
        wrong!(
            "mask after the softmax",
            "the weights are masked after the softmax: hidden keys have taken their part of the sum already, so the rest no longer sums to 1. Mask the scores.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                with_keep(scores, mask, |scores, keep| {
                    over_keys(scores)? * keep.to_dtype(scores.dtype())?
                })
            })
        ),
        wrong!(
            "weights before the mask returned",
            "the output is right, but the second tensor holds the weights without the mask: return those that made the output.",
            |query, key, value, mask| {
                let (output, _) = attention([query, key, value], |scores| right(scores, mask))?;
                let (_, weights) = attention([query, key, value], |scores| right(scores, None))?;
                Ok((output, weights))
            }
        ),
        wrong!(
            "scale forgotten",
            "the scores are not divided by √d_k.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                attention([query, key, value], |scores| right(&(scores * root)?, mask))
            }
        ),
        wrong!(
            "scaled by d_k",
            "the scores are divided by d_k: it takes its square root.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                attention([query, key, value], |scores| right(&(scores / root)?, mask))
            }
        ),
        wrong!(
            "scaled by d_v",
            "the scores are divided by the root of d_v, the dimension of the values: values take no part in the scores. It is d_k, the dimension of query and key.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                let of_values = (value.dim(D::Minus1)?.max(1) as f64).sqrt();
                attention([query, key, value], |scores| {
                    right(&(scores * (root / of_values))?, mask)
                })
            }
        ),
        wrong!(
            "scores returned",
            "the output is right, but the second tensor holds the scores: return the weights, after the softmax.",
            |query, key, value, mask| {
                let (output, _) = attention([query, key, value], |scores| right(scores, mask))?;
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                let scores = (product(query, &key.transpose(D::Minus2, D::Minus1)?)? / root)?;
                Ok((output, scores))
            }
        ),
        wrong!(
            "scaled by the number of keys",
            "the scores are divided by the root of the number of keys: it is d_k, the dimension of query and key, that scores grow with.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                let keys = (key.dim(D::Minus2)?.max(1) as f64).sqrt();
                attention([query, key, value], |scores| right(&(scores * (root / keys))?, mask))
            }
        ),
        wrong!(
            "scaled by a root in f32",
            "√d_k is computed in f32, so f64 inputs lose half of their digits: take the root of an f64.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                let rough = f64::from((query.dim(D::Minus1)? as f32).sqrt());
                attention([query, key, value], |scores| right(&(scores * (root / rough))?, mask))
            }
        ),
        wrong!(
            "gradient of the weights lost",
            "the values are right, but the returned weights are detached: a loss made of them teaches query and key nothing.",
            |query, key, value, mask| {
                let (output, weights) =
                    attention([query, key, value], |scores| right(scores, mask))?;
                Ok((output, weights.detach()))
            }
        ),
        wrong!(
            "gradient of the mask lost",
            "the values are right, but no gradient reaches an additive mask: it was detached. A bias may be learned.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                right(scores, mask.map(Tensor::detach).as_ref())
            })
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` compares only the product of the leading dimensions, so 2 sequences of 3 heads pass for 3 sequences of 2. Week 1's `scores` and `weighted_average` compare them one by one.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                if key.dim(D::Minus2)? != value.dim(D::Minus2)? {
                    bail!("as many values as keys");
                }
                let weights =
                    right(&(query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? / root)?, mask)?;
                Ok((weights.matmul(value)?, weights))
            }
        ),
        wrong!(
            "mask added before the scale",
            "the mask is added before the division by √d_k, which shrinks its biases: −∞ hides it, other numbers don't. Scale first, then mask.",
            |query, key, value, mask| {
                let root = (query.dim(D::Minus1)? as f64).sqrt();
                attention([query, key, value], |scores| match mask {
                    Some(bias) if bias.dtype() == scores.dtype() => {
                        right(scores, Some(&(bias / root)?))
                    }
                    mask => right(scores, mask),
                })
            }
        ),
        wrong!(
            "mask transposed",
            "the mask is transposed, so its rows are taken for keys: rows are queries.",
            |query, key, value, mask| attention([query, key, value], |scores| match mask {
                Some(mask) if mask.dim(D::Minus1)? == mask.dim(D::Minus2)? => {
                    right(scores, Some(&mask.transpose(D::Minus2, D::Minus1)?))
                }
                mask => right(scores, mask),
            })
        ),
        wrong!(
            "NaN where nothing is seen",
            "a query with nothing to see gets NaN: its row of −∞ must be found before the softmax.",
            |query, key, value, mask| attention([query, key, value], |scores| unguarded(
                scores, mask, NEVER
            ))
        ),
        wrong!(
            "-1e9",
            "a query with nothing to see averages all values: −1e9 everywhere has the same effect as 0 everywhere. Such a query gets zeros.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                with_keep(scores, mask, |scores, keep| unguarded(scores, Some(keep), -1e9))
            })
        ),
        wrong!(
            "NaN replaced afterwards",
            "the output is right, but the gradient is NaN: the NaN was replaced after the softmax. Replace the row of −∞ before it.",
            |query, key, value, mask| attention([query, key, value], |scores| {
                let logits = hide(scores, mask, NEVER)?;
                if logits.elem_count() == 0 {
                    return logits.zeros_like();
                }
                sees(&logits)?.where_cond(&over_keys(&logits)?, &logits.zeros_like()?)
            })
        ),
        wrong!(
            "no keys refused",
            "no keys are an error here: without keys no query has anything to see, and gets zeros.",
            |query, key, value, mask| {
                if key.dim(D::Minus2)? == 0 {
                    bail!("no keys");
                }
                attention([query, key, value], |scores| right(scores, mask))
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches query and key: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning.",
            |query, key, value, mask| attention([query, key, value], |scores| right(
                &scores.detach(),
                mask
            ))
        ),
    ]
}
