//! Week 1's wrong answers.

use super::{Wrong, wrong};
use crate::dot_products::{Lookup, Normalise, Pairs, Product, TopK};
use candle_core::{D, DType, IndexOp, Result, Tensor, bail};

fn dot_right(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a * b)?.sum(D::Minus1)
}

pub fn dot() -> Vec<Wrong<Pairs>> {
    vec![
        wrong!(
            "not summed",
            "these are the single products: add them up over the last dimension.",
            |a, b| a * b
        ),
        wrong!(
            "everything summed",
            "all rows were added into one number (`sum_all`): each pair of rows has a dot product of its own, so sum over the last dimension.",
            |a, b| (a * b)?.sum_all()
        ),
        wrong!(
            "summed over dimension 0",
            "the sum runs over dimension 0, which is the last one only for a single vector: use `D::Minus1`.",
            |a, b| (a * b)?.sum(0)
        ),
        wrong!(
            "dimension kept",
            "the numbers are right, but the summed dimension is still there with length 1: `sum` drops it, `sum_keepdim` keeps it.",
            |a, b| (a * b)?.sum_keepdim(D::Minus1)
        ),
        wrong!(
            "mean instead of sum",
            "the products are averaged: a dot product is their sum, and grows with the number of dimensions.",
            |a, b| (a * b)?.mean(D::Minus1)
        ),
        wrong!(
            "signs lost",
            "the products lost their signs (`abs`): opposite directions must pull the sum down, or opposites look alike.",
            |a, b| (a * b)?.abs()?.sum(D::Minus1)
        ),
        wrong!(
            "sum of the numbers instead of products",
            "the numbers were added in pairs: multiply them, or nothing depends on how the two vectors go together.",
            |a, b| (a + b)?.sum(D::Minus1)
        ),
        wrong!(
            "squared distance",
            "this is the squared distance: it is small for similar vectors, where the dot product is large.",
            |a, b| (a - b)?.sqr()?.sum(D::Minus1)
        ),
        wrong!(
            "longer vector cut",
            "the longer vector was cut to the length of the shorter one, as `zip` does without a word: two lengths that differ are a mistake of the caller, so return an error.",
            |a, b| {
                let n = a.dim(D::Minus1)?.min(b.dim(D::Minus1)?);
                dot_right(&a.narrow(D::Minus1, 0, n)?, &b.narrow(D::Minus1, 0, n)?)
            }
        ),
        wrong!(
            "broadcast",
            "one vector was paired with many (`broadcast_mul`): shapes that differ are a mistake of the caller, and `a * b` refuses them.",
            |a, b| a.broadcast_mul(b)?.sum(D::Minus1)
        ),
        wrong!(
            "read out of the tensors",
            "the values are right, but no gradient comes back: numbers read out with `to_vec1` (or detached) are no longer connected to their tensor. Stay with tensor operations.",
            |a, b| dot_right(&a.detach(), &b.detach())
        ),
    ]
}

/// Cosine similarity with norms of one's own making.
fn cosine(a: &Tensor, b: &Tensor, norms: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    dot_right(a, b)? / (norms(a)? * norms(b)?)?
}

fn norm(x: &Tensor) -> Result<Tensor> {
    dot_right(x, x)?.maximum(1e-16)?.sqrt()
}

pub fn cosine_similarity() -> Vec<Wrong<Pairs>> {
    vec![
        wrong!(
            "not divided",
            "this is the plain dot product: divide it by both norms, or long vectors win by being long.",
            dot_right
        ),
        wrong!(
            "divided by one norm",
            "only one norm was divided out: the result still grows with the length of the other vector. Divide by both.",
            |a, b| dot_right(a, b)? / norm(a)?
        ),
        wrong!(
            "root forgotten",
            "the squared norms were divided out: a norm is the square root of the vector's dot product with itself.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.maximum(1e-16))
        ),
        wrong!(
            "norms added",
            "the norms were added: their product is what a·b can reach at most.",
            |a, b| dot_right(a, b)? / (norm(a)? + norm(b)?)?
        ),
        wrong!(
            "sum of absolute values as norm",
            "the norm here is the sum of the absolute values: the length of a vector is the root of its sum of squares.",
            |a, b| cosine(a, b, |x| x.abs()?.sum(D::Minus1)?.maximum(1e-8))
        ),
        wrong!(
            "one norm for all rows",
            "the norm was taken over the whole tensor: each vector has its own, a sum over the last dimension.",
            |a, b| dot_right(a, b)?.broadcast_div(
                &(a.sqr()?.sum_all()?.maximum(1e-16)?.sqrt()?
                    * b.sqr()?.sum_all()?.maximum(1e-16)?.sqrt()?)?
            )
        ),
        wrong!(
            "zero divided by zero",
            "a vector of zeros has norm 0, and 0 / 0 is NaN: keep each norm above 0, for example with `maximum`.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.sqrt())
        ),
        wrong!(
            "epsilon added",
            "something was added to the norms to avoid dividing by zero, and it swallows tiny vectors: take a `maximum` with a tiny number, which leaves all other norms as they are.",
            |a, b| dot_right(a, b)? / ((norm(a)? * norm(b)?)? + 1e-6)?
        ),
        wrong!(
            "square of the smallest norm forgotten",
            "the *squared* norm was kept above 1e-8, which is a norm of 1e-4: square the limit as well, or take the maximum after the root.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.maximum(1e-8)?.sqrt())
        ),
        wrong!(
            "product of the norms kept above 1e-8",
            "the product of the norms was kept above 1e-8, and a product of two small norms is far below it: keep each norm above it.",
            |a, b| {
                let norm = |x: &Tensor| dot_right(x, x)?.sqrt();
                dot_right(a, b)? / (norm(a)? * norm(b)?)?.maximum(1e-8)?
            }
        ),
        wrong!(
            "broadcast",
            "one vector was compared with many (`broadcast_mul`): shapes that differ are a mistake of the caller, and `a * b` refuses them.",
            |a, b| a
                .broadcast_mul(b)?
                .sum(D::Minus1)?
                .broadcast_div(&norm(a)?.broadcast_mul(&norm(b)?)?)
        ),
        wrong!(
            "1e-8 added to each norm",
            "something was added to the norms to avoid dividing by zero, and it changes tiny vectors: take a `maximum` with a tiny number, which leaves all other norms as they are.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.sqrt()? + 1e-8)
        ),
        wrong!(
            "1e-8 added to the product of the norms",
            "something was added to the norms to avoid dividing by zero, and it swallows tiny vectors: take a `maximum` with a tiny number, which leaves all other norms as they are.",
            |a, b| {
                let norm = |x: &Tensor| dot_right(x, x)?.sqrt();
                dot_right(a, b)? / ((norm(a)? * norm(b)?)? + 1e-8)?
            }
        ),
        wrong!(
            "sign lost",
            "the sign is gone: opposite directions have a similarity of −1, not 1.",
            |a, b| cosine(a, b, norm)?.abs()
        ),
        wrong!(
            "norms detached",
            "the values are right, but the norms were detached: they depend on the vectors too, and their share of the gradient is missing.",
            |a, b| cosine(a, b, |x| Ok(norm(x)?.detach()))
        ),
    ]
}

/// Q·Kᵀ.
fn scores_right(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    product(query, &key.transpose(D::Minus2, D::Minus1)?)
}

fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.dims(), b.dims()) {
        ([batch_a @ .., _, _], [batch_b @ .., _, _]) if batch_a == batch_b => a.matmul(b),
        _ => bail!("leading dimensions do not fit"),
    }
}

pub fn scores() -> Vec<Wrong<Product>> {
    vec![
        wrong!(
            "keys against queries",
            "this is K·Qᵀ: rows and columns are swapped. Queries are the rows, keys the columns.",
            |query, key| scores_right(key, query)
        ),
        wrong!(
            "not transposed",
            "the key matrix went in as it is, so its rows met as columns: transpose its last two dimensions.",
            product
        ),
        wrong!(
            "first two dimensions transposed",
            "`transpose(0, 1)` swaps the last two dimensions of a matrix only; in a batch it swaps batch and sequence. Use `D::Minus2` and `D::Minus1`.",
            |query, key| product(query, &key.transpose(0, 1)?)
        ),
        wrong!(
            "reshaped instead of transposed",
            "`reshape` gives the key matrix the right shape, but reads its numbers in the old order: transposing is what turns rows into columns.",
            |query, key| {
                let mut dims = key.dims().to_vec();
                let rank = dims.len();
                dims.swap(rank - 2, rank - 1);
                product(query, &key.reshape(dims)?)
            }
        ),
        wrong!(
            "paired rows only",
            "row i of `query` met row i of `key` only: every query meets every key, which is a matrix product.",
            dot_right
        ),
        wrong!(
            "divided by the root of dim",
            "the scores are divided by √dim already: that scale is week 2's, here the plain dot products are asked for.",
            |query, key| scores_right(query, key)? / (query.dim(D::Minus1)? as f64).sqrt()
        ),
        wrong!(
            "cosines",
            "these are cosines: the vectors' lengths count here, so don't divide by them.",
            |query, key| {
                let unit = |x: &Tensor| x.broadcast_div(&norm(x)?.unsqueeze(D::Minus1)?);
                scores_right(&unit(query)?, &unit(key)?)
            }
        ),
        wrong!(
            "weights instead of scores",
            "these rows sum to one: the exponential and the division come later, in `naive_softmax`.",
            |query, key| weights_right(&scores_right(query, key)?)
        ),
        wrong!(
            "first batch element's keys for all",
            "all queries met the keys of the first batch element: each batch element (and head) has its own.",
            |query, key| {
                if query.rank() == 2 || key.elem_count() == 0 || query.dims()[0] != key.dims()[0] {
                    return scores_right(query, key);
                }
                scores_right(query, &key.i(0..1)?.broadcast_as(key.shape())?.contiguous()?)
            }
        ),
        wrong!(
            "broadcast",
            "`broadcast_matmul` repeats a batch of 1 for a batch of 2: leading dimensions that differ are a mistake of the caller. `matmul` from `crate::matmul` refuses them.",
            |query, key| query.broadcast_matmul(&key.transpose(D::Minus2, D::Minus1)?)
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` only counts the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. `matmul` from `crate::matmul` compares them one by one.",
            |query, key| query.matmul(&key.transpose(D::Minus2, D::Minus1)?)
        ),
        wrong!(
            "gradient of the keys lost",
            "the values are right, but no gradient reaches the keys: something detached them, or read their numbers out.",
            |query, key| scores_right(query, &key.detach())
        ),
        wrong!(
            "computed in f32",
            "an f64 input comes back as f32: leave the type as it comes.",
            |query, key| scores_right(&query.to_dtype(DType::F32)?, &key.to_dtype(DType::F32)?)
        ),
    ]
}

/// Positions sorted by a comparison of scores; too many asked for is an error.
fn ranked(
    scores: &Tensor,
    k: usize,
    compare: impl Fn(f64, f64) -> std::cmp::Ordering,
) -> Result<Vec<usize>> {
    let scores = scores.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    if k > scores.len() {
        bail!("k: expected at most {}; got {k}", scores.len());
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&i, &j| compare(scores[i], scores[j]));
    order.truncate(k);
    Ok(order)
}

pub fn top_k() -> Vec<Wrong<TopK>> {
    vec![
        wrong!(
            "lowest first",
            "these are the lowest scores: sort the other way round, the highest dot product is the best match.",
            |scores, k| ranked(scores, k, |a, b| a.total_cmp(&b))
        ),
        wrong!(
            "by magnitude",
            "scores were compared by their absolute value: a strongly negative score is a strong mismatch, not a match.",
            |scores, k| ranked(scores, k, |a, b| b.abs().total_cmp(&a.abs()))
        ),
        wrong!(
            "in order of position",
            "the right positions in the wrong order: the highest score comes first, not the earliest position.",
            |scores, k| {
                let mut top = ranked(scores, k, |a, b| b.total_cmp(&a))?;
                top.sort_unstable();
                Ok(top)
            }
        ),
        wrong!(
            "ties turned round",
            "of equal scores the later position came first, as it does when a list sorted upwards is reversed: compare downwards in a stable sort instead.",
            |scores, k| {
                let n = scores.elem_count();
                let mut top = ranked(scores, n, |a, b| a.total_cmp(&b))?;
                if k > n {
                    bail!("k: expected at most {n}; got {k}");
                }
                top.reverse();
                top.truncate(k);
                Ok(top)
            }
        ),
        wrong!(
            "position of the first equal score",
            "the scores were sorted and each one looked up again, so that equal scores all get the first one's position: sort positions instead.",
            |scores, k| {
                let order = ranked(scores, k, |a, b| b.total_cmp(&a))?;
                let scores = scores.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                Ok(order
                    .iter()
                    .filter_map(|&at| scores.iter().position(|score| *score == scores[at]))
                    .collect())
            }
        ),
        wrong!(
            "chosen scores set to minus infinity",
            "the best score was taken k times and replaced by −∞ each time: a score that is −∞ itself is then found twice. Sort the positions.",
            |scores, k| {
                let mut scores = scores.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                if k > scores.len() {
                    bail!("k: expected at most {}; got {k}", scores.len());
                }
                let mut take_best = || {
                    let best = (0..scores.len())
                        .reduce(|best, at| if scores[at] > scores[best] { at } else { best })?;
                    scores[best] = f64::NEG_INFINITY;
                    Some(best)
                };
                Ok((0..k).filter_map(|_| take_best()).collect())
            }
        ),
        wrong!(
            "unstable sort",
            "`sort_unstable_by` may exchange equal scores, and does so in long lists: `sort_by` is stable.",
            |scores, k| {
                let scores = scores.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                if k > scores.len() {
                    bail!("k: expected at most {}; got {k}", scores.len());
                }
                let mut order: Vec<usize> = (0..scores.len()).collect();
                order.sort_unstable_by(|&i, &j| scores[j].total_cmp(&scores[i]));
                order.truncate(k);
                Ok(order)
            }
        ),
        wrong!(
            "ranks instead of positions",
            "these are ranks (which place each score takes): asked for are positions (which score takes each place).",
            |scores, k| {
                let n = scores.elem_count();
                let order = ranked(scores, n, |a, b| b.total_cmp(&a))?;
                if k > n {
                    bail!("k: expected at most {n}; got {k}");
                }
                let mut ranks = vec![0; n];
                for (rank, &at) in order.iter().enumerate() {
                    ranks[at] = rank;
                }
                ranks.truncate(k);
                Ok(ranks)
            }
        ),
        wrong!(
            "fewer than asked for",
            "asked for more than there are, it returned fewer without a word: return an error, or the caller indexes past the end.",
            |scores, k| ranked(scores, k.min(scores.elem_count()), |a, b| b.total_cmp(&a))
        ),
        wrong!(
            "unwrap of partial_cmp",
            "`partial_cmp` gives `None` for NaN, and the `unwrap` panics: `f64::total_cmp` orders every number, NaN included.",
            |scores, k| ranked(scores, k, |a, b| b.partial_cmp(&a).unwrap())
        ),
        wrong!(
            "compared as f32",
            "f64 scores were rounded to f32 first, so close ones look equal: convert to f64, which holds every f32 exactly.",
            |scores, k| ranked(&scores.to_dtype(DType::F32)?, k, |a, b| b.total_cmp(&a))
        ),
    ]
}

fn weights_right(scores: &Tensor) -> Result<Tensor> {
    let exp = scores.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

pub fn naive_softmax() -> Vec<Wrong<Normalise>> {
    vec![
        wrong!(
            "no exponential",
            "the scores are divided by their own sum, without exp(): a negative score gets a negative weight, and a sum of 0 gives infinities.",
            |scores| scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so each column was divided by another row's sum, or nothing lined up: `sum_keepdim` keeps it with length 1.",
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
            weights_right(&(scores * std::f64::consts::LN_2)?)
        }),
        wrong!(
            "a sigmoid for each score",
            "each score was squashed on its own, e^x / (1 + e^x): the weights of a row must share one sum, so that one key's gain is another's loss.",
            |scores| {
                let exp = scores.exp()?;
                &exp / (&exp + 1.)?
            }
        ),
        wrong!(
            "unit length",
            "the exponentials were divided by the root of their sum of squares: that makes a vector of length one, here the plain sum must be one.",
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
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-3)?)
            }
        ),
        wrong!(
            "1e-6 in the denominator",
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-6)?)
            }
        ),
        wrong!(
            "1e-8 in the denominator",
            "something was added to the sum, so rows no longer sum to one: a sum of exponentials is never 0, nothing is needed.",
            |scores| {
                let exp = scores.exp()?;
                exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-8)?)
            }
        ),
        wrong!(
            "sign turned round",
            "the lowest score got the highest weight: exp(score), not exp(−score).",
            |scores| weights_right(&scores.neg()?)
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
            "an f64 input comes back as f32: leave the type as it comes.",
            |scores| weights_right(&scores.to_dtype(DType::F32)?)
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the scores: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning. Use exp, sum and division.",
            |scores| weights_right(&scores.detach())
        ),
    ]
}

pub fn weighted_average() -> Vec<Wrong<Product>> {
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
            "the sum was divided by the number of values on top: weights that sum to one already make an average.",
            |weights, value| product(weights, value)? / value.dim(D::Minus2)?.max(1) as f64
        ),
        wrong!(
            "weights normalised again",
            "the weights were divided by their sum once more: take them as they are, making them sum to one is `naive_softmax`'s job.",
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
            "candle's own `matmul` only counts the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. `matmul` from `crate::matmul` compares them one by one.",
            |weights, value| weights.matmul(value)
        ),
        wrong!(
            "gradient of the weights lost",
            "the values are right, but no gradient reaches the weights: something detached them, or read their numbers out.",
            |weights, value| product(&weights.detach(), value)
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
                lookup([query, key, value], |scores| weights_right(&(scores / root)?))
            }
        ),
        wrong!(
            "no weights made",
            "the values are mixed by raw scores: they are not positive, do not sum to one, and the output leaves the range of the values. `naive_softmax` belongs in between.",
            |query, key, value| lookup([query, key, value], Ok)
        ),
        wrong!(
            "hard lookup",
            "the best key took all: that is the hard lookup. Weigh by exponentials, so that the others get their share.",
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
            "keys are compared by cosine: here the plain dot product counts, so that a longer query can ask more sharply.",
            |query, key, value| {
                let unit = |x: &Tensor| x.broadcast_div(&norm(x)?.unsqueeze(D::Minus1)?);
                lookup([&unit(query)?, &unit(key)?, value], |scores| weights_right(&scores))
            }
        ),
        wrong!(
            "keys handed over",
            "the keys were mixed, not the values: a key is only what a query is compared with.",
            |query, key, value| {
                let weights = weights_right(&scores_right(query, key)?)?;
                product(&weights, value)?;
                Ok((product(&weights, key)?, weights))
            }
        ),
        wrong!(
            "scores returned as weights",
            "the output is right, but the second tensor holds the scores: return the weights that made the output.",
            |query, key, value| {
                let scores = scores_right(query, key)?;
                Ok((product(&weights_right(&scores)?, value)?, scores))
            }
        ),
        wrong!(
            "weights first",
            "output and weights are in the wrong order: the output comes first.",
            |query, key, value| {
                let (output, weights) =
                    lookup([query, key, value], |scores| weights_right(&scores))?;
                Ok((weights, output))
            }
        ),
        wrong!(
            "mixed twice",
            "the weights were squared on the way: multiply the values by them once.",
            |query, key, value| {
                let weights = weights_right(&scores_right(query, key)?)?;
                Ok((product(&weights.sqr()?, value)?, weights))
            }
        ),
        wrong!(
            "gradient of the weights lost",
            "the values are right, but no gradient reaches query and key: candle's fused `softmax_last_dim` (like `detach()`) has none, without a warning.",
            |query, key, value| lookup([query, key, value], |scores| weights_right(
                &scores.detach()
            ))
        ),
        wrong!(
            "candle's own matmul",
            "candle's own `matmul` only counts the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. Call your `scores` and `weighted_average`.",
            |query, key, value| {
                let weights = weights_right(&query.matmul(&key.transpose(D::Minus2, D::Minus1)?)?)?;
                Ok((weights.matmul(value)?, weights))
            }
        ),
        wrong!(
            "computed in f32",
            "an f64 input comes back as f32: leave the type as it comes.",
            |query, key, value| {
                let [query, key, value] = [query, key, value].map(|x| x.to_dtype(DType::F32));
                lookup([&query?, &key?, &value?], |scores| weights_right(&scores))
            }
        ),
    ]
}
