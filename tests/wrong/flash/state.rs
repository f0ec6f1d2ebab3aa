//! Wrong merges, and wrong ends.

use super::{DETOUR, Wrong, divided, factors, finished, merged, or_zero, single, sums, wrong};
use crate::flash::{Finish, Merge};
use candle_core::{D, DType, Tensor};

pub fn merge() -> Vec<Wrong<Merge>> {
    vec![
        wrong!(
            "accumulator not rescaled",
            "the sums are brought down to the new maximum, the accumulators are not: they are sums of the same exponentials, times values, and need the same factors.",
            |a, b| {
                let [m, l, _] = merged(a, b)?;
                Ok([m, l, (&a[2] + &b[2])?])
            }
        ),
        wrong!(
            "sum not rescaled",
            "the accumulators are brought down to the new maximum, the sums are not: both were taken relative to the old ones, and need the same factors.",
            |a, b| {
                let [m, _, acc] = merged(a, b)?;
                Ok([m, (&a[1] + &b[1])?, acc])
            }
        ),
        wrong!(
            "nothing rescaled",
            "sums and accumulators are added as they are: they are relative to two maxima, a's and b's, and have to be brought to one first.",
            |a, b| Ok([a[0].maximum(&b[0])?, (&a[1] + &b[1])?, (&a[2] + &b[2])?])
        ),
        wrong!(
            "only a brought down",
            "only a is brought down, as if b always had the larger maximum: often a has it, and then b has to shrink.",
            |a, b| {
                let (m, from_a, from_b) = factors(a, b)?;
                sums(m, a, b, [&from_a, &from_b.ones_like()?])
            }
        ),
        wrong!(
            "only b brought down",
            "only b is brought down, as if a always had the larger maximum: when b has it, a has to shrink.",
            |a, b| {
                let (m, from_a, from_b) = factors(a, b)?;
                sums(m, a, b, [&from_a.ones_like()?, &from_b])
            }
        ),
        wrong!(
            "a's maximum kept",
            "a's maximum stays, and b is brought to it: when b's is larger, its factor is above 1, and may overflow. Take the larger of the two.",
            |a, b| {
                let base = or_zero(&a[0])?;
                let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
                sums(a[0].clone(), a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "b's maximum kept",
            "b's maximum is taken, as if a new tile always had the larger one: when it has not, a's factor is above 1, and may overflow. Take the larger of the two.",
            |a, b| {
                let base = or_zero(&b[0])?;
                let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
                sums(b[0].clone(), a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "factors swapped",
            "the factors are swapped: a's own maximum says by how much a shrinks.",
            |a, b| {
                let (m, from_a, from_b) = factors(a, b)?;
                sums(m, a, b, [&from_b, &from_a])
            }
        ),
        wrong!(
            "factors turned round",
            "the factors are exp(new − old), so what should shrink grows: the exponent is old − new, never above 0.",
            |a, b| {
                let m = a[0].maximum(&b[0])?;
                let (from_a, from_b) = ((&m - &a[0])?.exp()?, (&m - &b[0])?.exp()?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "relative to each other",
            "a is brought to b's maximum and b to a's: both have to be brought to the same one, the larger.",
            |a, b| {
                let from_a = (&a[0] - or_zero(&b[0])?)?.exp()?;
                let from_b = (&b[0] - or_zero(&a[0])?)?.exp()?;
                sums(a[0].maximum(&b[0])?, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "NaN where nothing is seen",
            "when neither has seen anything, both maxima are −∞, and −∞ − (−∞) is NaN: put another number in place of the new maximum for the subtraction; `zero_if_infinite` does.",
            |a, b| {
                let m = a[0].maximum(&b[0])?;
                let (from_a, from_b) = ((&a[0] - &m)?.exp()?, (&b[0] - &m)?.exp()?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "maximum 0 where nothing is seen",
            "the 0 that stands in for −∞ in the subtraction is returned as m: the next merge would take it for a score. Return the maximum itself.",
            |a, b| {
                let [m, l, acc] = merged(a, b)?;
                Ok([or_zero(&m)?, l, acc])
            }
        ),
        wrong!(
            "smaller maximum",
            "the smaller of the two maxima is taken: factors are above 1 then, and may overflow.",
            |a, b| {
                let m = a[0].minimum(&b[0])?;
                let base = or_zero(&m)?;
                let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "one maximum for all queries",
            "one maximum is taken for all queries: each has its own, or those with low scores are pushed down to 0.",
            |a, b| {
                let m = a[0].maximum(&b[0])?;
                let m = m.zeros_like()?.broadcast_add(&m.max_keepdim(0)?)?;
                let base = or_zero(&m)?;
                let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "factors not stretched",
            "the factors are a column, `(rows, 1)`, and acc is `(rows, d_v)`: candle's `*` wants equal shapes, `broadcast_mul` stretches the column.",
            |a, b| {
                if a[2].dims() != a[1].dims() || b[2].dims() != b[1].dims() {
                    (&a[2] * &a[1])?;
                }
                merged(a, b)
            }
        ),
        wrong!(
            "stretched",
            "operations such as `broadcast_maximum` stretch a partial result of one query, or of values of one number, over all: m and l have equal shapes, and so have both `acc`, so plain operations do, and refuse what does not fit.",
            |a, b| {
                let m = a[0].broadcast_maximum(&b[0])?;
                let base = or_zero(&m)?;
                let from_a = a[0].broadcast_sub(&base)?.exp()?;
                let from_b = b[0].broadcast_sub(&base)?.exp()?;
                let l =
                    a[1].broadcast_mul(&from_a)?.broadcast_add(&b[1].broadcast_mul(&from_b)?)?;
                let acc = a[2].broadcast_mul(&from_a)?;
                Ok([m, l, acc.broadcast_add(&b[2].broadcast_mul(&from_b)?)?])
            }
        ),
        wrong!(
            "log-sum-exp instead of the maximum",
            "the new m is ln(exp a.m + exp b.m): that is how two log-sum-exps are combined. m is a maximum: take the larger of the two.",
            |a, b| {
                let (m, from_a, from_b) = factors(a, b)?;
                let m = (&m + (from_a + from_b)?.log()?)?;
                let base = or_zero(&m)?;
                let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "lower one dropped",
            "the one with the lower maximum is dropped: its keys count less, but they count.",
            |a, b| {
                let a_wins = a[0].ge(&b[0])?;
                let wide = a_wins.broadcast_as(a[2].shape())?;
                let l = a_wins.where_cond(&a[1], &b[1])?;
                Ok([a[0].maximum(&b[0])?, l, wide.where_cond(&a[2], &b[2])?])
            }
        ),
        wrong!(
            "divided by l",
            "the accumulator is divided by l in every merge: the next merge would divide it again. Divide once, in `finish`.",
            |a, b| {
                let [m, l, acc] = merged(a, b)?;
                Ok([m, l.clone(), divided(&acc, &l)?])
            }
        ),
        wrong!(
            "accumulators weighted by l",
            "the accumulators are multiplied by their sums, as finished outputs would have to be: acc is not yet divided by l.",
            |a, b| {
                let [m, l, _] = merged(a, b)?;
                let (_, from_a, from_b) = factors(a, b)?;
                let acc_a = a[2].broadcast_mul(&(&a[1] * from_a)?)?;
                Ok([m, l, (acc_a + b[2].broadcast_mul(&(&b[1] * from_b)?)?)?])
            }
        ),
        wrong!(
            "powers of two",
            "the base of the factors is 2, not e: l and acc are sums of exp(score − m).",
            |a, b| {
                let (m, from_a, from_b) = factors(a, b)?;
                let base_two = std::f64::consts::LN_2;
                let (from_a, from_b) = (from_a.powf(base_two)?, from_b.powf(base_two)?);
                sums(m, a, b, [&from_a, &from_b])
            }
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |a, b| {
                let [m, l, acc] = merged(a, b)?;
                let single = DType::F32;
                Ok([m.to_dtype(single)?, l.to_dtype(single)?, acc.to_dtype(single)?])
            }
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |a, b| {
            let [[m_a, l_a, acc_a], [m_b, l_b, acc_b]] = [a, b];
            let [m, l, acc] = merged(
                &[single(m_a)?, single(l_a)?, single(acc_a)?],
                &[single(m_b)?, single(l_b)?, single(acc_b)?],
            )?;
            let back = |x: Tensor| x.to_dtype(a[0].dtype());
            Ok([back(m)?, back(l)?, back(acc)?])
        }),
    ]
}

pub fn finish() -> Vec<Wrong<Finish>> {
    vec![
        wrong!(
            "NaN where nothing is seen",
            "a query that saw nothing has acc = 0 and l = 0, and 0 / 0 is NaN: divide it by 1 instead.",
            |parts @ [_, l, acc]| Ok((acc.broadcast_div(l)?, finished(parts)?.1))
        ),
        wrong!(
            "not divided",
            "acc comes back as it is: it is Σ exp(score − m) · value, and the weights are exp(score − m) / l.",
            |parts| Ok((parts[2].clone(), finished(parts)?.1))
        ),
        wrong!(
            "multiplied by l",
            "acc is multiplied by l: it lacks the division that a softmax makes by the sum of the exponentials.",
            |parts @ [_, l, acc]| Ok((acc.broadcast_mul(l)?, finished(parts)?.1))
        ),
        wrong!(
            "tiny number added to l",
            "something is added to l to avoid 0 / 0: every output is off by that. l is at least 1 for a query that saw a key, so find those with l = 0 and leave the others alone.",
            |parts @ [_, l, acc]| Ok((acc.broadcast_div(&(l + 1e-6)?)?, finished(parts)?.1))
        ),
        wrong!(
            "divided by the sum over all queries",
            "acc is divided by the sum of all queries' l: each query has its own.",
            |parts @ [_, l, acc]| {
                let all = l.zeros_like()?.broadcast_add(&l.sum_all()?)?;
                Ok((divided(acc, &all)?, finished(parts)?.1))
            }
        ),
        wrong!(
            "divided by exp(lse)",
            "acc is divided by the exponential of the log-sum-exp, which has the maximum in it: acc is relative to the maximum, and so is l.",
            |parts @ [_, _, acc]| {
                let lse = finished(parts)?.1;
                Ok((divided(acc, &lse.exp()?)?, lse))
            }
        ),
        wrong!(
            "maximum brought back into the output",
            "acc is multiplied by exp(m): it cancels, since l is relative to m as well, and it overflows.",
            |parts @ [m, l, acc]| {
                Ok((divided(&acc.broadcast_mul(&m.exp()?)?, l)?, finished(parts)?.1))
            }
        ),
        wrong!(
            "maximum forgotten",
            "the log-sum-exp is ln l only: l is relative to the maximum, which has to come back.",
            |parts| Ok((finished(parts)?.0, parts[1].log()?))
        ),
        wrong!(
            "logarithm forgotten",
            "the log-sum-exp is m + l: l is a sum of exponentials, m is a score. The logarithm of l is on the scale of scores.",
            |parts @ [m, l, _]| Ok((finished(parts)?.0, (m + l)?))
        ),
        wrong!(
            "maximum multiplied",
            "the log-sum-exp is m · ln l: a factor e^m of the sum becomes m, added, in its logarithm.",
            |parts @ [m, l, _]| Ok((finished(parts)?.0, (m * l.log()?)?))
        ),
        wrong!("base two", "the logarithm has base 2: `log` undoes `exp`.", |parts @ [m, l, _]| {
            Ok((finished(parts)?.0, (m + (l.log()? / std::f64::consts::LN_2)?)?))
        }),
        wrong!(
            "maximum subtracted",
            "the log-sum-exp is ln l − m: scores that are all higher by c have a log-sum-exp that is higher by c.",
            |parts @ [m, l, _]| {
                let lse = (or_zero(m)? * -1.)? + l.log()?;
                Ok((finished(parts)?.0, lse?))
            }
        ),
        wrong!(
            "exponential of the maximum",
            "ln (exp(m) · l) is right on paper, but exp(m) overflows from m = 89 on, and is 0 below −104: the logarithm of a product is a sum.",
            |parts @ [m, l, _]| Ok((finished(parts)?.0, (m.exp()? * l)?.log()?))
        ),
        wrong!(
            "l returned",
            "the second result is l: it should be the log-sum-exp, from which the backward pass recomputes the weights.",
            |parts| Ok((finished(parts)?.0, parts[1].clone()))
        ),
        wrong!(
            "log-sum-exp 0 where nothing is seen",
            "a query that saw nothing has a log-sum-exp of 0: that would be a real score. The logarithm of its empty sum is −∞.",
            |parts| {
                let (out, lse) = finished(parts)?;
                Ok((out, or_zero(&lse)?))
            }
        ),
        wrong!(
            "column lost",
            "the log-sum-exp is `(rows)`: it stays a column `(rows, 1)`, as m and l are.",
            |parts| {
                let (out, lse) = finished(parts)?;
                Ok((out, lse.squeeze(D::Minus1)?))
            }
        ),
        wrong!(
            "results swapped",
            "the two results are swapped: the output comes first, the log-sum-exp second.",
            |parts| {
                let (out, lse) = finished(parts)?;
                Ok((lse, out))
            }
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |parts| {
                let (out, lse) = finished(parts)?;
                Ok((out.to_dtype(DType::F32)?, lse.to_dtype(DType::F32)?))
            }
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |parts| {
            let [m, l, acc] = parts;
            let (out, lse) = finished(&[single(m)?, single(l)?, single(acc)?])?;
            Ok((out.to_dtype(m.dtype())?, lse.to_dtype(m.dtype())?))
        }),
    ]
}
