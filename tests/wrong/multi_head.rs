//! Week 4's wrong answers.

mod attention;

use super::{Wrong, wrong};
use crate::multi_head::{
    CacheBytes, CombineHeads, Diversity, Dropout, Flops, MultiHeadSpec, Parameters, Regroup,
};
use candle_core::{D, DType, Result, Tensor, bail};

pub use attention::multi_head_attention;

/// The right size of one head; an error when the heads do not divide the numbers.
fn head_dim(x: &Tensor, heads: usize) -> Result<usize> {
    let dim = x.dim(D::Minus1)?;
    if heads == 0 || dim % heads != 0 {
        bail!("num_heads does not divide {dim}");
    }
    Ok(dim / heads)
}

/// The right split.
fn split_right(x: &Tensor, heads: usize) -> Result<Tensor> {
    let ((batch, seq, _), head_dim) = (x.dims3()?, head_dim(x, heads)?);
    let x = x.reshape((batch, seq, heads, head_dim))?;
    x.transpose(1, 2)?.contiguous()
}

/// The right combination.
fn combine_right(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, seq, head_dim) = x.dims4()?;
    x.transpose(1, 2)?.reshape((batch, seq, heads * head_dim))
}

/// The numbers in a new tensor of f32, as a loop over vectors leaves them.
fn copied(x: &Tensor) -> Result<Tensor> {
    let numbers = x.flatten_all()?.to_vec1::<f32>()?;
    Tensor::from_vec(numbers, x.shape(), x.device())
}

pub fn split_heads() -> Vec<Wrong<Regroup>> {
    vec![
        wrong!(
            "no transpose",
            "the shape is right, but numbers of different tokens are mixed: memory holds token after token, and a reshape moves nothing in it. Cut each token's numbers into slices first, then swap seq and heads.",
            |x, heads| {
                let (batch, seq, _) = x.dims3()?;
                x.reshape((batch, heads, seq, head_dim(x, heads)?))
            }
        ),
        wrong!(
            "head_dim before heads",
            "the numbers of a token are dealt out like cards, one to each head in turn: each head gets a slice, numbers that stand next to each other.",
            |x, heads| {
                let (batch, seq, _) = x.dims3()?;
                let x = x.reshape((batch, seq, head_dim(x, heads)?, heads))?;
                x.permute((0, 3, 1, 2))?.contiguous()
            }
        ),
        wrong!(
            "not transposed back",
            "the result is (batch, seq, heads, head_dim): the heads come before the tokens, so that each head has a matrix (seq, head_dim) of its own.",
            |x, heads| {
                let (batch, seq, _) = x.dims3()?;
                x.reshape((batch, seq, heads, head_dim(x, heads)?))
            }
        ),
        wrong!(
            "head_dim before seq",
            "each head's matrix is transposed: its rows must be tokens, (seq, head_dim).",
            |x, heads| split_right(x, heads)?.transpose(2, 3)?.contiguous()
        ),
        wrong!(
            "copied as f32",
            "the numbers are copied out of the tensor as f32: other types are an error then, and no gradient comes back from a copy. Use operations on tensors.",
            |x, heads| split_right(&copied(x)?, heads)
        ),
        wrong!(
            "numbers left over",
            "numbers that no head gets are silently dropped: `num_heads` must divide the size of the last dimension, so refuse it otherwise.",
            |x, heads| {
                if heads == 0 {
                    bail!("no heads");
                }
                let head_dim = x.dim(D::Minus1)? / heads;
                split_right(&x.narrow(2, 0, head_dim * heads)?, heads)
            }
        ),
        wrong!(
            "slices of nothing stacked",
            "candle panics when empty slices are stacked: without tokens there is nothing to slice. `reshape` and `transpose` take an empty tensor; or look for it first.",
            |x, heads| {
                let head_dim = head_dim(x, heads)?;
                let slices = (0..heads).map(|head| x.narrow(2, head * head_dim, head_dim));
                Tensor::stack(&slices.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
            }
        ),
        wrong!(
            "heads before the batch",
            "the heads come first, before the batch: the batch stays in front, (batch, num_heads, seq, head_dim).",
            |x, heads| split_right(x, heads)?.transpose(0, 1)?.contiguous()
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches `x`: it was detached, or its numbers were copied out of the tensor and into a new one. Use operations on tensors.",
            |x, heads| split_right(&x.detach(), heads)
        ),
        wrong!(
            "not contiguous",
            "the values are right, but the tensor is a transposed view: write it out in its new order, since matrix products over four dimensions refuse some views.",
            |x, heads| {
                let (batch, seq, _) = x.dims3()?;
                let x = x.reshape((batch, seq, heads, head_dim(x, heads)?))?;
                x.transpose(1, 2)
            }
        ),
        wrong!(
            "batch and tokens merged",
            "batch and tokens are merged before the heads are moved: right for one sequence, but with more of them the numbers of different sequences are mixed. The batch stays in front.",
            |x, heads| {
                let ((batch, seq, _), head_dim) = (x.dims3()?, head_dim(x, heads)?);
                let x = x.reshape((batch * seq, heads, head_dim))?;
                x.transpose(0, 1)?.reshape((batch, heads, seq, head_dim))
            }
        ),
        wrong!(
            "remainder by 0 heads",
            "0 heads panic, since there is no remainder of a division by 0: look for 0 heads first, and return an error.",
            |x, heads| {
                if x.dim(D::Minus1)? % heads != 0 {
                    bail!("num_heads does not divide the numbers");
                }
                split_right(x, heads)
            }
        ),
        wrong!(
            "divided by 0 heads",
            "0 heads panic, since nothing can be divided by 0: look for 0 heads first, and return an error.",
            |x, heads| {
                let dim = x.dim(D::Minus1)?;
                if dim / heads * heads != dim {
                    bail!("num_heads does not divide the numbers");
                }
                split_right(x, heads)
            }
        ),
    ]
}

pub fn combine_heads() -> Vec<Wrong<CombineHeads>> {
    vec![
        wrong!(
            "no transpose back",
            "the shape is right, but the tokens are mixed: memory holds head after head, and a reshape moves nothing in it. Heads and tokens must be swapped back first.",
            |x| {
                let (batch, heads, seq, head_dim) = x.dims4()?;
                x.contiguous()?.reshape((batch, seq, heads * head_dim))
            }
        ),
        wrong!(
            "heads interleaved",
            "the heads' numbers alternate: each head's numbers stay together, head 0 first. Bring the dimensions into the order (batch, seq, heads, head_dim).",
            |x| x.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(2)
        ),
        wrong!(
            "heads in reverse",
            "the heads come in the wrong order: head 0 owns the first numbers of a token.",
            |x| {
                let heads = (0..x.dim(1)?).rev().map(|head| x.get_on_dim(1, head));
                Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, D::Minus1)
            }
        ),
        wrong!(
            "three dimensions go through",
            "a tensor of three dimensions goes through: then a token's own numbers are taken for heads, or a missing head is guessed. Refuse it.",
            |x| if x.rank() == 3 { x.flatten_from(1) } else { combine_right(x) }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches `x`: it was detached, or its numbers were copied out of the tensor and into a new one. Use operations on tensors.",
            |x| combine_right(&x.detach())
        ),
        wrong!(
            "copied as f32",
            "the numbers are copied out of the tensor as f32: other types are an error then, and no gradient comes back from a copy. Use operations on tensors.",
            |x| combine_right(&copied(x)?)
        ),
        wrong!(
            "heads averaged",
            "the heads are averaged into one: put them side by side, so that a token has heads · head_dim numbers again.",
            |x| x.mean(1)
        ),
    ]
}

pub fn repeat_kv() -> Vec<Wrong<Regroup>> {
    vec![
        wrong!(
            "tiled",
            "the heads come as 0 1 0 1, as from `repeat`: the query heads of one group are neighbours, so the copies of one key-value head must be neighbours too, 0 0 1 1.",
            |x, groups| {
                some_groups(groups)?;
                Tensor::cat(&vec![x; groups], 1)
            }
        ),
        wrong!(
            "tokens repeated",
            "the tokens are repeated, not the heads: the copies belong to dimension 1.",
            |x, groups| {
                some_groups(groups)?;
                let (batch, heads, seq, head_dim) = x.dims4()?;
                x.unsqueeze(3)?.broadcast_as((batch, heads, seq, groups, head_dim))?.reshape((
                    batch,
                    heads,
                    seq * groups,
                    head_dim,
                ))
            }
        ),
        wrong!(
            "first head for all",
            "every query head got key-value head 0: each group has its own.",
            |x, groups| {
                some_groups(groups)?;
                let first = x.narrow(1, 0, 1)?;
                Tensor::cat(&vec![first; groups * x.dim(1)?], 1)
            }
        ),
        wrong!(
            "groups by reshape",
            "the copies were made in front of the heads' dimension and then reshaped into it, which mixes heads and tokens: the new dimension belongs right after that of the heads.",
            |x, groups| {
                some_groups(groups)?;
                let (batch, heads, seq, head_dim) = x.dims4()?;
                x.unsqueeze(1)?
                    .broadcast_as((batch, groups, heads, seq, head_dim))?
                    .permute((0, 1, 3, 2, 4))?
                    .reshape((batch, heads * groups, seq, head_dim))
            }
        ),
        wrong!(
            "0 groups accepted",
            "0 groups were accepted: no query head would be left. Look for that first, and return an error.",
            |x, groups| {
                let (batch, heads, seq, head_dim) = x.dims4()?;
                x.unsqueeze(2)?.broadcast_as((batch, heads, groups, seq, head_dim))?.reshape((
                    batch,
                    heads * groups,
                    seq,
                    head_dim,
                ))
            }
        ),
        wrong!(
            "groups of one refused",
            "groups of one are refused: that is plain multi-head attention, where each query head has its own keys and values.",
            |x, groups| {
                if groups < 2 {
                    bail!("groups");
                }
                repeated(x, groups)
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches `x`: it was detached, or its numbers were copied out of the tensor and into a new one. Use operations on tensors.",
            |x, groups| repeated(&x.detach(), groups)
        ),
        wrong!(
            "copied as f32",
            "the numbers are copied out of the tensor as f32: other types are an error then, and no gradient comes back from a copy. Use operations on tensors.",
            |x, groups| repeated(&copied(x)?, groups)
        ),
        wrong!(
            "gradient of one copy only",
            "the gradient is that of one copy: all copies of a head are that head, so their gradients add up.",
            |x, groups| {
                let copies = repeated(x, groups)?;
                let heads = (0..x.dim(1)? * groups).map(|head| {
                    let copy = copies.narrow(1, head, 1)?;
                    Ok(if head % groups == 0 { copy } else { copy.detach() })
                });
                Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, 1)
            }
        ),
        wrong!(
            "no copies",
            "nothing was repeated: the result must have kv_heads · groups heads.",
            |x, groups| {
                some_groups(groups)?;
                Ok(x.clone())
            }
        ),
    ]
}

/// The right repetition.
fn repeated(x: &Tensor, groups: usize) -> Result<Tensor> {
    some_groups(groups)?;
    let heads = (0..x.dim(1)? * groups).map(|head| x.narrow(1, head / groups, 1));
    Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, 1)
}

fn some_groups(groups: usize) -> Result<()> {
    if groups == 0 { bail!("no groups") } else { Ok(()) }
}

pub fn dropout() -> Vec<Wrong<Dropout>> {
    vec![
        wrong!(
            "not rescaled",
            "what is left is not divided by 1 − rate: the mean shrinks in training, and evaluation sees larger numbers than the model has learned with.",
            |x, rate, seed| x * mask(x, rate, seed, |draw, rate| draw.ge(rate))?
        ),
        wrong!(
            "rate is what is kept",
            "`rate` was taken as the share to keep: it is the probability that a number is dropped.",
            |x, rate, seed| match rate {
                0. => Ok(x.clone()),
                _ => (x * mask(x, rate, seed, |draw, rate| draw.lt(rate))?)? / rate,
            }
        ),
        wrong!(
            "kept where the draw is below the rate",
            "kept and dropped are swapped: a number is dropped where its draw is below `rate`, and kept where it is not.",
            |x, rate, seed| match rate {
                0. => Ok(x.clone()),
                _ => (x * mask(x, rate, seed, |draw, rate| draw.lt(rate))?)? / (1. - rate),
            }
        ),
        wrong!(
            "wrong end of the draws",
            "a share of `rate` is dropped, but at the wrong end of the draws: a number is dropped where its draw is *below* `rate`.",
            |x, rate, seed| (x * mask(x, rate, seed, |draw, rate| draw.lt(1. - rate))?)?
                / (1. - rate)
        ),
        wrong!(
            "a draw equal to the rate dropped",
            "a number whose draw equals `rate` is dropped: only draws *below* the rate drop. It matters where a run must be repeated to the last bit.",
            |x, rate, seed| match rate {
                0. => Ok(x.clone()),
                _ => (x * mask(x, rate, seed, |draw, rate| draw.gt(rate))?)? / (1. - rate),
            }
        ),
        wrong!(
            "multiplied by 1 − rate",
            "what is left is multiplied by 1 − rate, so it shrinks: it must grow to make up for what is dropped.",
            |x, rate, seed| (x * mask(x, rate, seed, |draw, rate| draw.ge(rate))?)? * (1. - rate)
        ),
        wrong!(
            "divided by the rate",
            "what is left is divided by `rate`: the share that stays is 1 − rate.",
            |x, rate, seed| match rate {
                0. => Ok(x.clone()),
                _ => (x * mask(x, rate, seed, |draw, rate| draw.ge(rate))?)? / rate,
            }
        ),
        wrong!(
            "whole rows dropped",
            "one draw decides for a whole row: each number of `x` has a draw of its own.",
            |x, rate, seed| {
                let mut dims = x.dims().to_vec();
                if let Some(last) = dims.last_mut() {
                    *last = 1;
                }
                valid(rate)?;
                let draws = seeded::uniform(seed, dims)?;
                let keep = draws.ge(rate)?.to_dtype(x.dtype())?;
                x.broadcast_mul(&keep)? / (1. - rate)
            }
        ),
        wrong!(
            "normal draws",
            "the draws are normal: half of them are negative, so far more than a share of `rate` is dropped. They are `seeded::uniform`'s, between 0 and 1.",
            |x, rate, seed| {
                valid(rate)?;
                if rate == 0. {
                    return Ok(x.clone());
                }
                (x * seeded::normal(seed, x.shape())?.ge(rate)?.to_dtype(x.dtype())?)? / (1. - rate)
            }
        ),
        wrong!(
            "1 − rate in f32",
            "1 − rate is computed in f32, so f64 numbers lose half of their digits: compute it in f64.",
            |x, rate, seed| {
                let kept = (x * mask(x, rate, seed, |draw, rate| draw.ge(rate))?)?;
                if rate == 0. { Ok(kept) } else { kept / f64::from(1. - rate as f32) }
            }
        ),
        wrong!(
            "negative rate accepted",
            "a rate below 0 was accepted: it is no probability. Ask whether the rate lies in the range, and refuse it if not.",
            |x, rate, seed| match rate {
                ..0. => Ok(x.clone()),
                _ => dropped(x, rate, seed),
            }
        ),
        wrong!(
            "seed ignored",
            "the draws do not depend on `seed`: two calls with different seeds must drop different numbers.",
            |x, rate, _| (x * mask(x, rate, 0, |draw, rate| draw.ge(rate))?)? / (1. - rate)
        ),
        wrong!(
            "mask in f32",
            "the mask of kept numbers is f32 whatever `x` is: candle multiplies tensors of one type only, so f64 and f16 are an error.",
            |x, rate, seed| {
                valid(rate)?;
                if rate == 0. {
                    return Ok(x.clone());
                }
                let keep = seeded::uniform(seed, x.shape())?.ge(rate)?.to_dtype(DType::F32)?;
                (x * keep)? / (1. - rate)
            }
        ),
        wrong!(
            "result in f32",
            "the result is f32 whatever `x` is: it has the type of `x`.",
            |x, rate, seed| dropped(&x.to_dtype(DType::F32)?, rate, seed)
        ),
        wrong!(
            "f64 by way of f32",
            "f64 numbers go through f32 and lose half of their digits: compute in the type of `x`.",
            |x, rate, seed| dropped(&x.to_dtype(DType::F32)?, rate, seed)?.to_dtype(x.dtype())
        ),
        wrong!(
            "gradient of the identity",
            "the values are right, but the gradient passes as if nothing were dropped: what is dropped must get none, and what is kept grows with its number.",
            |x, rate, seed| x + (dropped(x, rate, seed)? - x)?.detach()
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches `x`: it was detached, or its numbers were copied out of the tensor and into a new one.",
            |x, rate, seed| dropped(&x.detach(), rate, seed)
        ),
        wrong!(
            "gradient lost at rate 0",
            "at rate 0 the values come back without their gradient: they were detached or copied. Return `x` itself, so that a model without dropout still learns.",
            |x, rate, seed| match rate {
                0. => Ok(x.detach()),
                _ => dropped(x, rate, seed),
            }
        ),
        wrong!(
            "rate not checked",
            "a rate of 1 or more, below 0 or NaN was accepted: at 1, everything is dropped and divided by 0.",
            |x, rate, seed| {
                let keep = seeded::uniform(seed, x.shape())?.ge(rate)?;
                (x * keep.to_dtype(x.dtype())?)? / (1. - rate)
            }
        ),
        wrong!(
            "NaN accepted",
            "a rate of NaN was accepted: every comparison with NaN is false, so neither `rate < 0.` nor `rate >= 1.` finds it. Ask whether the rate lies in the range, and refuse it if not.",
            |x, rate, seed| {
                let (below, above) = (rate < 0., rate >= 1.);
                if below || above {
                    bail!("rate {rate} is outside [0, 1)");
                }
                let keep = seeded::uniform(seed, x.shape())?.ge(rate)?;
                (x * keep.to_dtype(x.dtype())?)? / (1. - rate)
            }
        ),
    ]
}

/// The right dropout.
fn dropped(x: &Tensor, rate: f64, seed: u64) -> Result<Tensor> {
    (x * mask(x, rate, seed, |draw, rate| draw.ge(rate))?)? / (1. - rate)
}

fn valid(rate: f64) -> Result<()> {
    if (0. ..1.).contains(&rate) {
        return Ok(());
    }
    bail!("rate {rate} is outside [0, 1)")
}

/// 1 where `keep` holds for a draw and the rate; at rate 0 everywhere.
fn mask(
    x: &Tensor,
    rate: f64,
    seed: u64,
    keep: impl Fn(&Tensor, f64) -> Result<Tensor>,
) -> Result<Tensor> {
    valid(rate)?;
    if rate == 0. {
        return x.ones_like();
    }
    keep(&seeded::uniform(seed, x.shape())?, rate)?.to_dtype(x.dtype())
}

pub fn head_diversity() -> Vec<Wrong<Diversity>> {
    vec![
        wrong!(
            "a head compared with itself",
            "the mean is taken over heads², pairs of a head with itself included: they are always 0 apart. There are heads · (heads − 1) ordered pairs.",
            |weights| distance(weights, |heads| heads * heads, 2.)
        ),
        wrong!(
            "not halved",
            "the absolute differences are not halved: what one head has more, the other has less, so every difference is counted twice.",
            |weights| distance(weights, |heads| heads * (heads - 1), 1.)
        ),
        wrong!(
            "summed over pairs",
            "the pairs are summed, not averaged: the measure would grow with the number of heads.",
            |weights| distance(weights, |_| 1, 4.)
        ),
        wrong!(
            "signed differences",
            "the differences are summed with their signs: both rows sum to 1, so that is always 0. Take absolute values first.",
            |weights| {
                let right = distance(weights, |heads| heads * (heads - 1), 2.)?;
                right.zeros_like()
            }
        ),
        wrong!(
            "only neighbours",
            "each head is compared with the next one only: take all pairs.",
            |weights| {
                two_heads(weights)?;
                let heads = weights.dim(1)?;
                let (these, next) =
                    (weights.narrow(1, 0, heads - 1)?, weights.narrow(1, 1, heads - 1)?);
                ((these - next)?.abs()?.sum(D::Minus1)? / 2.)?.mean_all()
            }
        ),
        wrong!(
            "Euclidean distance",
            "the distance is the root of the summed squares: half the sum of absolute differences is asked for, which is 1 for heads that share no key.",
            |weights| {
                two_heads(weights)?;
                let heads = weights.dim(1)?;
                let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
                let roots = apart.sqr()?.sum(D::Minus1)?.sqrt()?;
                roots.mean_all()? * (heads as f64 / (heads - 1) as f64)
            }
        ),
        wrong!(
            "mean over keys",
            "the differences are averaged over the keys: take half their sum. The two agree for 2 keys only.",
            |weights| {
                let keys = weights.dim(D::Minus1)?;
                distance(weights, |heads| heads * (heads - 1), keys as f64)
            }
        ),
        wrong!(
            "largest difference",
            "the largest difference over the keys is taken: take half the sum of all. The two agree for 2 keys only.",
            |weights| {
                two_heads(weights)?;
                let heads = weights.dim(1)? as f64;
                let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
                apart.abs()?.max(D::Minus1)?.mean_all()? * (heads / (heads - 1.))
            }
        ),
        wrong!(
            "all compared with head 0",
            "each head is compared with head 0 only: take all pairs.",
            |weights| {
                two_heads(weights)?;
                let others = weights.narrow(1, 1, weights.dim(1)? - 1)?;
                let apart = others.broadcast_sub(&weights.narrow(1, 0, 1)?)?.abs()?;
                (apart.sum(D::Minus1)? / 2.)?.mean_all()
            }
        ),
        wrong!(
            "no pairs not refused",
            "one head, or no query, was accepted: there is nothing to compare, and a mean over nothing is 0 / 0. Return an error.",
            |weights| {
                let (batch, heads, seq_q, _) = weights.dims4()?;
                let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
                apart.abs()?.sum_all()?
                    / (2 * batch * seq_q * heads * heads.saturating_sub(1)) as f64
            }
        ),
        wrong!(
            "no query accepted",
            "weights without a query were accepted: a mean over nothing is 0 / 0, which is NaN. Return an error.",
            |weights| {
                let (batch, heads, seq_q, _) = weights.dims4()?;
                if heads < 2 {
                    bail!("a single head");
                }
                let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
                apart.abs()?.sum_all()? / (2 * batch * seq_q * heads * (heads - 1)) as f64
            }
        ),
        wrong!(
            "empty batch accepted",
            "an empty batch was accepted: it has no queries either, and a mean over nothing is 0 / 0, which is NaN. Return an error.",
            |weights| {
                let (batch, heads, seq_q, _) = weights.dims4()?;
                if heads < 2 || seq_q == 0 {
                    bail!("no pair of heads");
                }
                let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
                apart.abs()?.sum_all()? / (2 * batch * seq_q * heads * (heads - 1)) as f64
            }
        ),
        wrong!(
            "first batch entry only",
            "only the first batch entry counts: take the mean over all of them.",
            |weights| {
                two_heads(weights)?;
                distance(&weights.narrow(0, 0, 1)?, |heads| heads * (heads - 1), 2.)
            }
        ),
        wrong!(
            "one query only",
            "only one query of the map counts: take the mean over all of them.",
            |weights| {
                two_heads(weights)?;
                let last = weights.dim(2)? - 1;
                distance(&weights.narrow(2, last, 1)?, |heads| heads * (heads - 1), 2.)
            }
        ),
        wrong!(
            "a tensor of one number",
            "the number is right, but it comes in a tensor of one dimension: a scalar tensor has none, the shape is ().",
            |weights| distance(weights, |heads| heads * (heads - 1), 2.)?.reshape(1)
        ),
        wrong!(
            "means of the maps compared",
            "the weights were averaged over the queries before they were compared: heads that swap their keys look the same then. Compare query by query.",
            |weights| distance(
                &{
                    two_heads(weights)?;
                    weights.mean_keepdim(2)?
                },
                |heads| heads * (heads - 1),
                2.
            )
        ),
    ]
}

fn two_heads(weights: &Tensor) -> Result<()> {
    let (batch, heads, seq_q, _) = weights.dims4()?;
    if heads < 2 || batch * seq_q == 0 {
        bail!("no pair of heads");
    }
    Ok(())
}

/// The sum of the absolute differences of all ordered pairs, over `divisor` and the number of `pairs`.
fn distance(weights: &Tensor, pairs: impl Fn(usize) -> usize, divisor: f64) -> Result<Tensor> {
    two_heads(weights)?;
    let (batch, heads, seq_q, _) = weights.dims4()?;
    let apart = weights.unsqueeze(1)?.broadcast_sub(&weights.unsqueeze(2)?)?;
    apart.abs()?.sum_all()? / (divisor * (batch * seq_q * pairs(heads)) as f64)
}

fn kv_dim(spec: MultiHeadSpec) -> usize {
    spec.num_kv_heads * spec.head_dim()
}

/// The right count, with these lengths for the outputs of query, key, value and output projection.
fn parameters(spec: MultiHeadSpec, outs: [usize; 4], biases: usize) -> usize {
    outs.iter().map(|out| out * spec.embed_dim).sum::<usize>() + biases
}

pub fn parameter_count() -> Vec<Wrong<Parameters>> {
    vec![
        wrong!(
            "biases left out",
            "the biases are missing: with `bias`, each projection has one number for each of its outputs.",
            |spec| parameters(
                spec,
                [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim],
                0
            )
        ),
        wrong!(
            "no bias of the output projection",
            "the bias of the output projection is missing: all four projections have one.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim];
                let biases = if spec.bias { outs[..3].iter().sum() } else { 0 };
                parameters(spec, outs, biases)
            }
        ),
        wrong!(
            "a single number as a bias",
            "a bias is counted as one number: it has one for each output of its projection.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim];
                parameters(spec, outs, if spec.bias { 4 } else { 0 })
            }
        ),
        wrong!(
            "biases always",
            "biases are counted although the layer has none: look at `config.bias`.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim];
                parameters(spec, outs, outs.iter().sum())
            }
        ),
        wrong!(
            "key-value heads ignored",
            "key and value are counted with `embed_dim` outputs: they have `num_kv_heads · head_dim`.",
            |spec| {
                let biases = if spec.bias { 4 * spec.embed_dim } else { 0 };
                parameters(spec, [spec.embed_dim; 4], biases)
            }
        ),
        wrong!(
            "biases of full length",
            "every bias is counted with `embed_dim` numbers: with fewer key-value heads, the biases of key and value are smaller, like their matrices.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim];
                parameters(spec, outs, if spec.bias { 4 * spec.embed_dim } else { 0 })
            }
        ),
        wrong!(
            "output projection forgotten",
            "only three projections are counted: the output has one as well.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), 0];
                parameters(spec, outs, if spec.bias { outs.iter().sum() } else { 0 })
            }
        ),
        wrong!(
            "once for each head",
            "the matrices are counted once for each head: a head has a slice of `head_dim` rows of them, all heads together have one matrix.",
            |spec| {
                let outs = [spec.embed_dim, kv_dim(spec), kv_dim(spec), spec.embed_dim];
                spec.num_heads
                    * parameters(spec, outs, if spec.bias { outs.iter().sum() } else { 0 })
            }
        ),
    ]
}

/// The right operations of the projections of query and output, and of key and value.
fn projections(spec: MultiHeadSpec, seq_q: usize, seq_k: usize, kv_dim: usize) -> usize {
    4 * seq_q * spec.embed_dim * spec.embed_dim + 4 * seq_k * spec.embed_dim * kv_dim
}

pub fn attention_flops() -> Vec<Wrong<Flops>> {
    vec![
        wrong!(
            "multiplications only",
            "a multiplication and an addition count as two operations; here is half of that.",
            |spec, seq_q, seq_k| {
                (projections(spec, seq_q, seq_k, kv_dim(spec)) + 4 * seq_q * seq_k * spec.embed_dim)
                    / 2
            }
        ),
        wrong!(
            "average left out",
            "the scores are counted, the weighted average of the values is not: it costs as much again.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, kv_dim(spec)) + 2 * seq_q * seq_k * spec.embed_dim
            }
        ),
        wrong!(
            "keys counted as queries",
            "all lengths are those of the query: key and value are projected `seq_k` times, and each query meets `seq_k` keys.",
            |spec, seq_q, _| {
                projections(spec, seq_q, seq_q, kv_dim(spec)) + 4 * seq_q * seq_q * spec.embed_dim
            }
        ),
        wrong!(
            "embed_dim for each head",
            "scores and average are counted with `embed_dim` for each head: a head works on `head_dim` numbers, all heads together on `embed_dim`.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, kv_dim(spec))
                    + 4 * seq_q * seq_k * spec.embed_dim * spec.num_heads
            }
        ),
        wrong!(
            "one projection forgotten",
            "one of the four projections is missing: query, key, value and output have one each.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, kv_dim(spec)) + 4 * seq_q * seq_k * spec.embed_dim
                    - 2 * seq_q * spec.embed_dim * spec.embed_dim
            }
        ),
        wrong!(
            "biases counted",
            "the biases are counted: their additions are left out here, only the matrix products count.",
            |spec, seq_q, seq_k| {
                let biases = 2 * seq_q * spec.embed_dim + 2 * seq_k * kv_dim(spec);
                projections(spec, seq_q, seq_k, kv_dim(spec))
                    + 4 * seq_q * seq_k * spec.embed_dim
                    + if spec.bias { biases } else { 0 }
            }
        ),
        wrong!(
            "pairs of queries",
            "scores and average are counted for each pair of queries: it is each query with each key, seq_q · seq_k pairs.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, kv_dim(spec)) + 4 * seq_q * seq_q * spec.embed_dim
            }
        ),
        wrong!(
            "output projection over keys",
            "the output projection is counted for each key: it runs over the outputs, one for each query.",
            |spec, seq_q, seq_k| {
                let output = 2 * spec.embed_dim * spec.embed_dim;
                projections(spec, seq_q, seq_k, kv_dim(spec))
                    + 4 * seq_q * seq_k * spec.embed_dim
                    + output * seq_k
                    - output * seq_q
            }
        ),
        wrong!(
            "queries and keys swapped",
            "`seq_q` and `seq_k` are swapped: projections of query and output run over queries, those of key and value over keys.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_k, seq_q, kv_dim(spec)) + 4 * seq_q * seq_k * spec.embed_dim
            }
        ),
        wrong!(
            "scores of key-value heads only",
            "scores and average are counted for `num_kv_heads` heads: a key is shared, but each query head still meets it.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, kv_dim(spec)) + 4 * seq_q * seq_k * kv_dim(spec)
            }
        ),
        wrong!(
            "projections forgotten",
            "only scores and average are counted: the four projections cost most of the time on short sequences.",
            |spec, seq_q, seq_k| 4 * seq_q * seq_k * spec.embed_dim
        ),
        wrong!(
            "key-value heads ignored",
            "keys and values are projected to `num_kv_heads · head_dim` numbers, not to `embed_dim`.",
            |spec, seq_q, seq_k| {
                projections(spec, seq_q, seq_k, spec.embed_dim) + 4 * seq_q * seq_k * spec.embed_dim
            }
        ),
    ]
}

pub fn kv_cache_bytes() -> Vec<Wrong<CacheBytes>> {
    vec![
        wrong!(
            "keys only",
            "only the keys are counted: the values are kept as well, since both are needed for the next token.",
            |spec, layers, batch, seq, dtype| {
                layers * batch * seq * kv_dim(spec) * dtype.size_in_bytes()
            }
        ),
        wrong!(
            "all query heads",
            "the cache is counted with `num_heads`: only `num_kv_heads` heads have keys and values.",
            |spec, layers, batch, seq, dtype| {
                2 * layers * batch * seq * spec.embed_dim * dtype.size_in_bytes()
            }
        ),
        wrong!(
            "queries too",
            "queries are counted as well: a query is used once, for its own token, and forgotten.",
            |spec, layers, batch, seq, dtype| {
                3 * layers * batch * seq * kv_dim(spec) * dtype.size_in_bytes()
            }
        ),
        wrong!(
            "numbers, not bytes",
            "these are numbers: multiply by `dtype.size_in_bytes()`.",
            |spec, layers, batch, seq, _| 2 * layers * batch * seq * kv_dim(spec)
        ),
        wrong!(
            "always four bytes",
            "a number is counted with 4 bytes whatever its type.",
            |spec, layers, batch, seq, _| {
                2 * layers * batch * seq * kv_dim(spec) * DType::F32.size_in_bytes()
            }
        ),
        wrong!(
            "one sequence",
            "the cache of one sequence is counted: each sequence of the batch has its own.",
            |spec, layers, _, seq, dtype| 2 * layers * seq * kv_dim(spec) * dtype.size_in_bytes()
        ),
        wrong!(
            "one layer",
            "the cache of one layer is counted: each layer has its own.",
            |spec, _, batch, seq, dtype| 2 * batch * seq * kv_dim(spec) * dtype.size_in_bytes()
        ),
        wrong!(
            "one head",
            "the keys and values of a single head are counted: all `num_kv_heads` heads are kept, `config.kv_dim()` numbers in all.",
            |spec, layers, batch, seq, dtype| {
                2 * layers * batch * seq * spec.head_dim() * dtype.size_in_bytes()
            }
        ),
        wrong!(
            "head_dim forgotten",
            "one number per head is counted: a head's key has `head_dim` numbers.",
            |spec, layers, batch, seq, dtype| {
                2 * layers * batch * seq * spec.num_kv_heads * dtype.size_in_bytes()
            }
        ),
    ]
}
