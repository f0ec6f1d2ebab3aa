//! Wrong scores of previous-token and induction heads.

use super::{D, DType, Result, Tensor, Wrong, bail, some, wrong};
use crate::inside_heads::{Induction, Measure};

/// The sum of the weights of these pairs, over `count` and the batch: `(heads)`.
fn sum_of(weights: &Tensor, pairs: &[(usize, usize)], count: usize) -> Result<Tensor> {
    let mut sum = weights.narrow(2, 0, 1)?.narrow(3, 0, 1)?.zeros_like()?;
    for &(query, key) in pairs {
        sum = (sum + weights.narrow(2, query, 1)?.narrow(3, key, 1)?)?;
    }
    sum.squeeze(3)?.squeeze(2)?.mean(0)? / count as f64
}

/// The length; an error unless this is self-attention over more than `least` tokens.
fn tokens(weights: &Tensor, least: usize) -> Result<usize> {
    let (_, _, seq, seq_k) = some(weights)?;
    if seq != seq_k || seq <= least {
        bail!("weights: expected (batch, heads, seq, seq) above {least}");
    }
    Ok(seq)
}

/// The right pairs.
fn before(seq: usize) -> Vec<(usize, usize)> {
    (1..seq).map(|query| (query, query - 1)).collect()
}

pub fn previous_token_score() -> Vec<Wrong<Measure>> {
    vec![
        wrong!(
            "next token",
            "the weights on the next token are taken, key i + 1: the token before query i is key i − 1. A causal model can't even see the next one.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> = (1..seq).map(|key| (key - 1, key)).collect();
                sum_of(weights, &pairs, seq - 1)
            }
        ),
        wrong!(
            "the token itself",
            "the main diagonal is taken, where a query looks at itself: one key to the left is the token before.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> = (1..seq).map(|at| (at, at)).collect();
                sum_of(weights, &pairs, seq - 1)
            }
        ),
        wrong!(
            "two before",
            "query i is paired with key i − 2: the token before it is key i − 1.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> = (2..seq).map(|query| (query, query - 2)).collect();
                sum_of(weights, &pairs, (seq - 2).max(1))
            }
        ),
        wrong!(
            "divided by seq",
            "the sum is divided by the number of tokens: query 0 has no token before it, so there are seq − 1 weights.",
            |weights| {
                let seq = tokens(weights, 1)?;
                sum_of(weights, &before(seq), seq)
            }
        ),
        wrong!(
            "query 0 looks at the last key",
            "query 0 is paired with the last key, as if the tokens stood in a circle: it has no token before it and does not count.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> = (0..seq).map(|at| (at, (at + seq - 1) % seq)).collect();
                sum_of(weights, &pairs, seq)
            }
        ),
        wrong!(
            "query 0 looks at itself",
            "query 0 is paired with key 0, since `saturating_sub` stops there: it has no token before it and does not count.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> = (0..seq).map(|at: usize| (at, at.saturating_sub(1))).collect();
                sum_of(weights, &pairs, seq)
            }
        ),
        wrong!(
            "summed over queries",
            "the weights are summed over the queries: take their mean, so that 1 is the most that a head can have.",
            |weights| sum_of(weights, &before(tokens(weights, 1)?), 1)
        ),
        wrong!(
            "summed over the batch",
            "the weights are summed over the batch: take the mean, so that 1 is the most that a head can have.",
            |weights| {
                let seq = tokens(weights, 1)?;
                sum_of(weights, &before(seq), seq - 1)? * weights.dim(0)? as f64
            }
        ),
        wrong!(
            "largest of the queries",
            "the largest weight of all queries is taken: take their mean, or one query alone makes a score.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let rows = before(seq).into_iter().map(|pair| sum_of(weights, &[pair], 1));
                Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 0)?.max(0)
            }
        ),
        wrong!(
            "how often it is the largest",
            "queries are counted whose largest weight lies on the token before: the mean of the weights themselves is asked for.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let largest = weights.max_keepdim(D::Minus1)?;
                let hits = weights.broadcast_eq(&largest)?.to_dtype(weights.dtype())?;
                sum_of(&hits, &before(seq), seq - 1)
            }
        ),
        wrong!(
            "all tokens before",
            "the weights on all earlier tokens are summed: only the one directly before counts.",
            |weights| {
                let seq = tokens(weights, 1)?;
                let pairs: Vec<_> =
                    (0..seq).flat_map(|at| (0..at).map(move |key| (at, key))).collect();
                sum_of(weights, &pairs, seq - 1)
            }
        ),
        wrong!(
            "mean over heads",
            "the heads are averaged: each has its own score, `(heads)`.",
            |weights| {
                let seq = tokens(weights, 1)?;
                sum_of(weights, &before(seq), seq - 1)?.mean_keepdim(0)
            }
        ),
        wrong!(
            "f32 comes back",
            "f64 weights come back as f32: compute in the type of the weights, and leave the type alone.",
            |weights| {
                let seq = tokens(weights, 1)?;
                sum_of(&weights.to_dtype(DType::F32)?, &before(seq), seq - 1)
            }
        ),
        wrong!(
            "one token accepted",
            "a single token was accepted: no token stands before it, and the mean over nothing is 0 / 0. Return an error.",
            |weights| {
                let seq = tokens(weights, 0)?;
                sum_of(weights, &before(seq), seq - 1)
            }
        ),
        wrong!(
            "other keys than queries accepted",
            "a map that is not square was accepted: key i − 1 is the token before query i only where both are the same tokens.",
            |weights| {
                let (_, _, seq, seq_k) = some(weights)?;
                if seq < 2 {
                    bail!("one token");
                }
                let pairs: Vec<_> =
                    before(seq).into_iter().filter(|&(_, key)| key < seq_k).collect();
                sum_of(weights, &pairs, seq - 1)
            }
        ),
    ]
}

/// The length; the errors are the right ones.
fn repeats(weights: &Tensor, period: usize) -> Result<usize> {
    if period == 0 {
        bail!("period: expected at least 1");
    }
    tokens(weights, period)
}

/// The mean over the queries from `first` on of the weight on the key that `key` names.
fn from(weights: &Tensor, first: usize, key: impl Fn(usize) -> Option<usize>) -> Result<Tensor> {
    let seq = weights.dim(2)?;
    let pairs: Vec<_> = (first..seq)
        .filter_map(|query| Some((query, key(query).filter(|&key| key < seq)?)))
        .collect();
    sum_of(weights, &pairs, seq - first)
}

pub fn induction_score() -> Vec<Wrong<Induction>> {
    vec![
        wrong!(
            "the earlier occurrence itself",
            "the weight on key i − period is taken, where the same token stood: an induction head looks one further, at what came after it.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period, |query| Some(query - period))
            }
        ),
        wrong!(
            "before the earlier occurrence",
            "the weight on key i − period − 1 is taken, the token before the earlier occurrence: what came after it is one to its right, not to its left.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period, |query| query.checked_sub(period + 1))
            }
        ),
        wrong!(
            "two after the earlier occurrence",
            "the weight on key i − period + 2 is taken: the token after the earlier occurrence is i − period + 1.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period, |query| Some(query + 2 - period))
            }
        ),
        wrong!(
            "two after, and the rest left out",
            "the diagonal begins at key 2, that is i − period + 2: the token after the earlier occurrence is i − period + 1.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                if period < 2 {
                    return from(weights, period, |query| Some(query + 1 - period));
                }
                let count = (seq - period).min(seq - 2);
                let pairs: Vec<_> = (0..count).map(|at| (period + at, 2 + at)).collect();
                sum_of(weights, &pairs, seq - period)
            }
        ),
        wrong!(
            "f32 comes back",
            "f64 weights come back as f32: compute in the type of the weights, and leave the type alone.",
            |weights, period| {
                repeats(weights, period)?;
                from(&weights.to_dtype(DType::F32)?, period, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "the last query of the first block",
            "query period − 1 counts, too: its token has not stood anywhere before.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period - 1, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "first repeated token left out",
            "the first query of the second block does not count: its token has stood before, a period ago. Start at i = period.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                let pairs: Vec<_> =
                    (period + 1..seq).map(|query| (query, query + 1 - period)).collect();
                sum_of(weights, &pairs, pairs.len().max(1))
            }
        ),
        wrong!(
            "divided by seq",
            "the sum is divided by the number of tokens: only the queries from `period` on count.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                from(weights, period, |query| Some(query + 1 - period))?
                    .affine((seq - period) as f64 / seq as f64, 0.)
            }
        ),
        wrong!(
            "divided by the period",
            "the sum is divided by `period`: that is the number of queries that count only when the block stands there exactly twice.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                from(weights, period, |query| Some(query + 1 - period))?
                    .affine((seq - period) as f64 / period as f64, 0.)
            }
        ),
        wrong!(
            "half of the sequence for the period",
            "`period` is ignored, and half of the sequence taken for it: the block may stand there more often than twice, or end early.",
            |weights, period| {
                let half = (repeats(weights, period)? / 2).max(1);
                from(weights, half, |query| Some(query + 1 - half))
            }
        ),
        wrong!(
            "second block only",
            "only the queries of the second block count: so do those of a third one, with what came after their latest occurrence.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                let last = seq.min(2 * period);
                let pairs: Vec<_> =
                    (period..last).map(|query| (query, query + 1 - period)).collect();
                sum_of(weights, &pairs, last - period)
            }
        ),
        wrong!(
            "every earlier occurrence",
            "what came after every earlier occurrence is added up: only the latest one counts.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                let mut pairs = Vec::new();
                for query in period..seq {
                    let blocks = 1..=query / period;
                    pairs.extend(blocks.map(|block| (query, query + 1 - block * period)));
                }
                sum_of(weights, &pairs, seq - period)
            }
        ),
        wrong!(
            "the token before",
            "the weight on key i − 1 is taken: that is the previous-token score. An induction head looks back by a period.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period, |query| query.checked_sub(1))
            }
        ),
        wrong!(
            "the key asks",
            "query and key are swapped: the row of a map is the query, the column the key.",
            |weights, period| {
                repeats(weights, period)?;
                from(&weights.transpose(2, 3)?, period, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "summed over queries",
            "the weights are summed over the queries: take their mean, so that 1 is the most that a head can have.",
            |weights, period| {
                let seq = repeats(weights, period)?;
                from(weights, period, |query| Some(query + 1 - period))? * (seq - period) as f64
            }
        ),
        wrong!(
            "mean over heads",
            "the heads are averaged: each has its own score, `(heads)`.",
            |weights, period| {
                repeats(weights, period)?;
                from(weights, period, |query| Some(query + 1 - period))?.mean_keepdim(0)
            }
        ),
        wrong!(
            "first sequence only",
            "only the first sequence of the batch counts: take the mean over all.",
            |weights, period| {
                repeats(weights, period)?;
                from(&weights.narrow(0, 0, 1)?, period, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "period 0 accepted",
            "a period of 0 was accepted: then nothing repeats. Return an error.",
            |weights, period| {
                tokens(weights, period.max(1))?;
                from(weights, period, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "subtraction below 0",
            "a period above the length is a panic: seq − period is below 0, which a usize can't be. Compare them first, and return an error.",
            |weights, period| {
                if period == 0 {
                    bail!("period: expected at least 1");
                }
                let rest = tokens(weights, 1)? - period;
                if rest == 0 {
                    bail!("nothing repeats");
                }
                from(weights, period, |query| Some(query + 1 - period))
            }
        ),
        wrong!(
            "f64 through f32",
            "f64 weights went through f32: compute in the type of the weights.",
            |weights, period| {
                repeats(weights, period)?;
                let weights32 = weights.to_dtype(DType::F32)?;
                from(&weights32, period, |query| Some(query + 1 - period))?
                    .to_dtype(weights.dtype())
            }
        ),
    ]
}
