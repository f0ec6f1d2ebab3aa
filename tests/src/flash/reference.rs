//! Attention and its gradient in f64, number after number, to compare with.

use super::Parts;
use candle_core::{DType, Device, Result, Tensor};

type Rows = Vec<Vec<f64>>;

fn rows(tensor: &Tensor) -> Result<Rows> {
    tensor.to_dtype(DType::F64)?.to_vec2()
}

fn tensor(rows: Rows, columns: usize, dtype: DType) -> Result<Tensor> {
    let shape = (rows.len(), columns);
    let numbers: Vec<f64> = rows.into_iter().flatten().collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(dtype)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of `rows`, each times its number.
fn mixed(factors: impl Iterator<Item = f64>, rows: &Rows, columns: usize) -> Vec<f64> {
    let mut sum = vec![0.; columns];
    for (factor, row) in factors.zip(rows) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += factor * x);
    }
    sum
}

/// Of each query the largest score, and exp(score − that) for every key, 0 where it may not attend.
fn exponentials(
    q: &Tensor,
    k: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<Vec<(f64, Vec<f64>)>> {
    let (q, k, keep) = (rows(q)?, rows(k)?, keep.map(rows).transpose()?);
    let sees = |query: usize, key: usize| keep.as_ref().is_none_or(|keep| keep[query][key] == 1.);
    let score = |query: usize, key: usize| match sees(query, key) {
        true => dot(&q[query], &k[key]) * scale,
        false => f64::NEG_INFINITY,
    };
    let of_query = |query: usize| {
        let scores: Vec<f64> = (0..k.len()).map(|key| score(query, key)).collect();
        let m = scores.iter().fold(f64::NEG_INFINITY, |m, &score| m.max(score));
        let exp = |score: &f64| if *score == f64::NEG_INFINITY { 0. } else { (score - m).exp() };
        (m, scores.iter().map(exp).collect())
    };
    Ok((0..q.len()).map(of_query).collect())
}

/// `[m, l, acc]` of all these keys.
pub(super) fn partial([q, k, v]: [&Tensor; 3], scale: f64, keep: Option<&Tensor>) -> Result<Parts> {
    let (values, dim_v) = (rows(v)?, v.dim(1)?);
    let (mut m, mut l, mut acc) = (vec![], vec![], vec![]);
    for (max, exp) in exponentials(q, k, scale, keep)? {
        m.push(vec![max]);
        l.push(vec![exp.iter().sum()]);
        acc.push(mixed(exp.into_iter(), &values, dim_v));
    }
    Ok([tensor(m, 1, q.dtype())?, tensor(l, 1, q.dtype())?, tensor(acc, dim_v, q.dtype())?])
}

/// The output and the log-sum-exp: zeros and −∞ for queries that see nothing.
pub(super) fn attention(
    [q, k, v]: [&Tensor; 3],
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let (values, dim_v) = (rows(v)?, v.dim(1)?);
    let (mut out, mut lse) = (vec![], vec![]);
    for (m, exp) in exponentials(q, k, scale, keep)? {
        let l: f64 = exp.iter().sum();
        out.push(mixed(exp.into_iter().map(|p| if l == 0. { 0. } else { p / l }), &values, dim_v));
        lse.push(vec![m + l.ln()]);
    }
    Ok((tensor(out, dim_v, q.dtype())?, tensor(lse, 1, q.dtype())?))
}

/// The gradients of q, k and v, from that of the output, through the softmax's own: p (dp − Σ p dp).
pub(super) fn backward(
    [q, k, v]: [&Tensor; 3],
    d_out: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<[Tensor; 3]> {
    let [queries, keys, values, grads] = [rows(q)?, rows(k)?, rows(v)?, rows(d_out)?];
    let (dim, dim_v, dtype) = (q.dim(1)?, v.dim(1)?, q.dtype());
    let (mut p, mut d_s) = (vec![], vec![]); // a row a query
    for ((_, exp), grad) in exponentials(q, k, scale, keep)?.into_iter().zip(&grads) {
        let l: f64 = exp.iter().sum();
        let weights: Vec<f64> =
            exp.into_iter().map(|exp| if l == 0. { 0. } else { exp / l }).collect();
        let d_p: Vec<f64> = values.iter().map(|value| dot(grad, value)).collect();
        let mean = dot(&weights, &d_p);
        d_s.push(
            weights.iter().zip(&d_p).map(|(p, d_p)| p * (d_p - mean) * scale).collect::<Vec<_>>(),
        );
        p.push(weights);
    }
    let column = |of: &Rows, key: usize| of.iter().map(|row| row[key]).collect::<Vec<_>>();
    let d_q = d_s.iter().map(|row| mixed(row.iter().copied(), &keys, dim)).collect();
    let d_k =
        (0..keys.len()).map(|key| mixed(column(&d_s, key).into_iter(), &queries, dim)).collect();
    let d_v =
        (0..keys.len()).map(|key| mixed(column(&p, key).into_iter(), &grads, dim_v)).collect();
    Ok([tensor(d_q, dim, dtype)?, tensor(d_k, dim, dtype)?, tensor(d_v, dim_v, dtype)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flash::drawn_keep, harness::cases::attention_inputs};

    /// A number of a tensor, moved.
    fn moved(tensor: &Tensor, at: usize, by: f64) -> Result<Tensor> {
        let mut numbers: Vec<f64> = tensor.flatten_all()?.to_vec1()?;
        numbers[at] += by;
        Tensor::from_vec(numbers, tensor.shape(), tensor.device())
    }

    #[test]
    fn the_gradients_are_the_central_differences() -> Result<()> {
        let inputs = attention_inputs(1, &[], [3, 4, 2, 3])?;
        let [q, k, v] = inputs.map(|x| x.to_dtype(DType::F64).unwrap());
        let d_out = seeded::normal(5, (3, 3))?.to_dtype(DType::F64)?;
        for keep in [None, Some(drawn_keep(3, 3, 4)?)] {
            let keep = keep.as_ref();
            let grads = backward([&q, &k, &v], &d_out, 0.7, keep)?;
            let loss = |[q, k, v]: [&Tensor; 3]| -> Result<f64> {
                (attention([q, k, v], 0.7, keep)?.0 * &d_out)?.sum_all()?.to_scalar()
            };
            for (which, grad) in grads.iter().enumerate() {
                for (at, got) in grad.flatten_all()?.to_vec1::<f64>()?.into_iter().enumerate() {
                    let loss_at = |by: f64| {
                        let mut inputs = [q.clone(), k.clone(), v.clone()];
                        inputs[which] = moved(&inputs[which], at, by)?;
                        loss(inputs.each_ref())
                    };
                    let slope = (loss_at(1e-5)? - loss_at(-1e-5)?) / 2e-5;
                    assert!((slope - got).abs() < 1e-8, "{which} {at}: {got}, not {slope}");
                }
            }
        }
        Ok(())
    }
}
