//! Wrong scores and wrong searches for the highest.

use super::{dot_right, product, scores_right, through_f32, unit};
use crate::{
    dot_products::{Binary, TopK, weights_of},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, IndexOp, Result, Tensor, bail};
use std::cmp::Ordering;

pub fn scores() -> Vec<Wrong<Binary>> {
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
            "row i of `query` met only row i of `key`: every query meets every key, which is a matrix product.",
            dot_right
        ),
        wrong!(
            "divided by the root of dim",
            "the scores are divided by √dim already: that scale is week 2's, here the plain dot products are asked for.",
            |query, key| scores_right(query, key)? / (query.dim(D::Minus1)? as f64).sqrt()
        ),
        wrong!(
            "cosines",
            "these are cosines: here norms count, so don't divide by them.",
            |query, key| scores_right(&unit(query)?, &unit(key)?)
        ),
        wrong!(
            "weights instead of scores",
            "these rows sum to one already: the exponential and the division come later, in `naive_softmax`.",
            |query, key| weights_of(&scores_right(query, key)?)
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
            "candle's own `matmul` compares only the product of the leading dimensions: (2, 3, …) times (3, 2, …) goes through, and batch and heads are mixed up. `matmul` from `crate::matmul` compares them one by one.",
            |query, key| query.matmul(&key.transpose(D::Minus2, D::Minus1)?)
        ),
        wrong!(
            "gradient of the queries lost",
            "the values are right, but no gradient reaches the queries: something detached them, or read their numbers out.",
            |query, key| scores_right(&query.detach(), key)
        ),
        wrong!(
            "gradients lost",
            "the values are right, but no gradient reaches query or key: something detached them, or read their numbers out.",
            |query, key| Ok(scores_right(query, key)?.detach())
        ),
        wrong!(
            "gradient of the keys lost",
            "the values are right, but no gradient reaches the keys: something detached them, or read their numbers out.",
            |query, key| scores_right(query, &key.detach())
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |query, key| scores_right(&query.to_dtype(DType::F32)?, &key.to_dtype(DType::F32)?)
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |query, key| through_f32(query, key, scores_right)
        ),
    ]
}

/// Positions sorted by a comparison of scores; too many asked for is an error.
fn ranked(scores: &Tensor, k: usize, compare: impl Fn(f64, f64) -> Ordering) -> Result<Vec<usize>> {
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
            "these are the lowest scores: sort the other way, since the highest dot product is the best match.",
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
            "of equal scores the later position came first, as it does when a list in ascending order is reversed: sort in descending order instead, with a stable sort.",
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
            "the best score was taken k times and replaced by −∞ each time: a score that is −∞ itself may then be found twice. Sort the positions.",
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
            "these are ranks (which place each score takes); what is asked for is positions (which score takes each place).",
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
            "asked for more scores than there are, it silently returned fewer: return an error, or the caller indexes past the end.",
            |scores, k| ranked(scores, k.min(scores.elem_count()), |a, b| b.total_cmp(&a))
        ),
        wrong!(
            "unwrap of partial_cmp",
            "`partial_cmp` gives `None` for NaN, and the `unwrap` panics: `f64::total_cmp` orders every number, NaN included.",
            |scores, k| ranked(scores, k, |a, b| b.partial_cmp(&a).unwrap())
        ),
        wrong!(
            "NaN equal to everything",
            "a NaN was taken to equal every score, and −0 to equal 0: with 1 = NaN and NaN = 2, but 1 < 2, there is no order, and `sort_by` panics when it notices. `f64::total_cmp` puts every number in one place.",
            |scores, k| ranked(scores, k, |a, b| b.partial_cmp(&a).unwrap_or(Ordering::Equal))
        ),
        wrong!(
            "−0 equal to 0",
            "−0 and 0 were taken to be equal, as `==` and `partial_cmp` have it: the order asked for is total and ranks −0 below 0, as `f64::total_cmp` does.",
            |scores, k| {
                ranked(scores, k, |a, b| b.partial_cmp(&a).unwrap_or_else(|| b.total_cmp(&a)))
            }
        ),
        wrong!(
            "f32 only",
            "only f32 scores can be read this way (`to_vec1::<f32>()` refuses any other type): convert them first, to f64, which holds every f32, f16 and bf16 exactly.",
            |scores, k| {
                scores.to_vec1::<f32>()?;
                ranked(scores, k, |a, b| b.total_cmp(&a))
            }
        ),
        wrong!(
            "compared as f32",
            "f64 scores were rounded to f32 first, so close ones look equal: convert to f64, which holds every f32 exactly.",
            |scores, k| ranked(&scores.to_dtype(DType::F32)?, k, |a, b| b.total_cmp(&a))
        ),
    ]
}
