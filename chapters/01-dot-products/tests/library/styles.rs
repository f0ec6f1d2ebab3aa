//! Right answers in other styles than the solution's: the checks let them pass.

use candle_core::{D, Error, Result, Tensor, bail};
use checks::{State, Verdict, dot_products as check};
use dot_products::solution;

fn passes(verdict: Verdict) {
    assert_eq!(verdict.state(), State::Passed, "{verdict}");
}

fn same_shape(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dims() == b.dims() { Ok(()) } else { bail!("shapes differ: {a:?} and {b:?}") }
}

/// The numbers along the last dimension, one tensor each.
fn columns(x: &Tensor) -> Result<Vec<Tensor>> {
    (0..x.dim(D::Minus1)?).map(|at| x.narrow(D::Minus1, at, 1)?.squeeze(D::Minus1)).collect()
}

#[test]
fn dot() {
    // Term by term.
    passes(check::dot(|a, b| {
        same_shape(a, b)?;
        let mut sum = a.zeros_like()?.sum(D::Minus1)?;
        for (a, b) in columns(a)?.iter().zip(columns(b)?) {
            sum = (sum + (a * b)?)?;
        }
        Ok(sum)
    }));
    // A matrix product of a row and a column.
    passes(check::dot(|a, b| {
        same_shape(a, b)?;
        let (dim, leading) = (a.dim(D::Minus1)?, &a.dims()[..a.rank() - 1]);
        let pairs: usize = leading.iter().product();
        let (rows, columns) = (a.reshape((pairs, 1, dim))?, b.reshape((pairs, dim, 1))?);
        rows.matmul(&columns)?.reshape(leading)
    }));
}

#[test]
fn cosine_similarity() {
    let norm = |x: &Tensor| x.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-16)?.sqrt();
    // Unit vectors first.
    passes(check::cosine_similarity(move |a, b| {
        solution::dot(&a.broadcast_div(&norm(a)?)?, &b.broadcast_div(&norm(b)?)?)
    }));
    // One norm after the other.
    passes(check::cosine_similarity(move |a, b| {
        (solution::dot(a, b)? / norm(a)?.squeeze(D::Minus1)?)? / norm(b)?.squeeze(D::Minus1)?
    }));
}

#[test]
fn scores() {
    // Every pair by broadcasting, without a matrix product.
    passes(check::scores(|query, key| {
        let rank = query.rank();
        if rank != key.rank()
            || query.dims()[..rank - 2] != key.dims()[..rank - 2]
            || query.dim(D::Minus1)? != key.dim(D::Minus1)?
        {
            bail!("shapes do not fit");
        }
        query.unsqueeze(D::Minus2)?.broadcast_mul(&key.unsqueeze(rank - 2)?)?.sum(D::Minus1)
    }));
    // (K·Qᵀ)ᵀ.
    passes(check::scores(|query, key| {
        solution::scores(key, query)?.transpose(D::Minus2, D::Minus1)
    }));
}

#[test]
fn top_k() {
    // The best, k times.
    passes(check::top_k(|scores, k| {
        let scores = scores.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>()?;
        let mut left: Vec<usize> = (0..scores.len()).collect();
        (0..k)
            .map(|_| {
                let best =
                    (0..left.len())
                        .reduce(|a, b| {
                            if scores[left[b]].total_cmp(&scores[left[a]]).is_gt() { b } else { a }
                        })
                        .ok_or_else(|| Error::msg("fewer scores than asked for"))?;
                Ok(left.remove(best))
            })
            .collect()
    }));
    // Pairs of score and position, upwards, then reversed.
    passes(check::top_k(|scores, k| {
        let scores = scores.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>()?;
        let mut pairs: Vec<(usize, f64)> = scores.into_iter().enumerate().collect();
        pairs.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        if k > pairs.len() {
            bail!("k: expected at most {}; got {k}", pairs.len());
        }
        Ok(pairs.into_iter().rev().take(k).map(|(at, _)| at).collect())
    }));
}

#[test]
fn naive_softmax() {
    // exp(x − ln Σ exp).
    passes(check::naive_softmax(|scores| {
        scores.broadcast_sub(&scores.exp()?.sum_keepdim(D::Minus1)?.log()?)?.exp()
    }));
    // One over the sum of the differences' exponentials.
    passes(check::naive_softmax(|scores| {
        let (own, others) = (scores.unsqueeze(D::Minus1)?, scores.unsqueeze(D::Minus2)?);
        others.broadcast_sub(&own)?.exp()?.sum(D::Minus1)?.recip()
    }));
}

#[test]
fn weighted_average() {
    // Value by value.
    passes(check::weighted_average(|weights, value| {
        let rank = value.rank();
        if weights.dim(D::Minus1)? != value.dim(D::Minus2)?
            || weights.dims()[..rank - 2] != value.dims()[..rank - 2]
        {
            bail!("shapes do not fit");
        }
        let (seq_q, dim) = (weights.dim(D::Minus2)?, value.dim(D::Minus1)?);
        let shape = [&value.dims()[..rank - 2], &[seq_q, dim]].concat();
        let mut sum = Tensor::zeros(shape, value.dtype(), value.device())?;
        for at in 0..value.dim(D::Minus2)? {
            let weight = weights.narrow(D::Minus1, at, 1)?;
            sum = (sum + weight.broadcast_mul(&value.narrow(D::Minus2, at, 1)?)?)?;
        }
        Ok(sum)
    }));
    // Scores of weights against the values' columns.
    passes(check::weighted_average(|weights, value| {
        solution::scores(weights, &value.transpose(D::Minus2, D::Minus1)?)
    }));
}

#[test]
fn soft_lookup() {
    // Query by query.
    passes(check::soft_lookup(|query, key, value| {
        let (at, rows) = (query.rank() - 2, query.dim(D::Minus2)?);
        if rows == 0 {
            return solution::soft_lookup(query, key, value);
        }
        let (mut outputs, mut weights) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let (output, weight) = solution::soft_lookup(&query.narrow(at, row, 1)?, key, value)?;
            outputs.push(output);
            weights.push(weight);
        }
        Ok((Tensor::cat(&outputs, at)?, Tensor::cat(&weights, at)?))
    }));
    // The division last: mix by the exponentials, then divide the output.
    passes(check::soft_lookup(|query, key, value| {
        let exp = solution::scores(query, key)?.exp()?;
        let sum = exp.sum_keepdim(D::Minus1)?;
        let output = solution::weighted_average(&exp, value)?.broadcast_div(&sum)?;
        Ok((output, exp.broadcast_div(&sum)?))
    }));
}
