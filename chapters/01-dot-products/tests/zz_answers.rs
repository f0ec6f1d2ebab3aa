#![allow(unused)]
use candle_core::{D, DType, Result, Tensor, bail};
use dot_products::matmul::matmul;
mod solution { pub use dot_products::solution::*; }
use checks::dot_products as check;

fn no_cause__cosine_similarity__f32(a: &Tensor, b: &Tensor) -> Result<Tensor> {
// W cosine_similarity: f64 computed in f32 | outcome: CAUGHT, cause absent
let f = |x: &Tensor| x.to_dtype(DType::F32);
crate::solution::cosine_similarity(&f(a)?, &f(b)?)?.to_dtype(a.dtype())

}

fn no_cause__dot__f32(a: &Tensor, b: &Tensor) -> Result<Tensor> {
// W dot: sums in f32 whatever the type | outcome: CAUGHT, cause absent
(a * b)?.to_dtype(DType::F32)?.sum(D::Minus1)

}

fn no_cause__naive_softmax__detached_sum(scores: &Tensor) -> Result<Tensor> {
// W naive_softmax: denominator detached: gradient only | outcome: CAUGHT, cause absent
let exp = scores.exp()?;
exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?.detach())

}

fn no_cause__scores__f32(query: &Tensor, key: &Tensor) -> Result<Tensor> {
// W scores: computes in f32, casts back | outcome: CAUGHT, cause absent
if query.dim(D::Minus1)? != key.dim(D::Minus1)? { bail!("dims"); }
matmul(&query.to_dtype(DType::F32)?, &key.to_dtype(DType::F32)?.transpose(D::Minus2, D::Minus1)?)?.to_dtype(query.dtype())

}

fn no_cause__weighted_average__f32(weights: &Tensor, value: &Tensor) -> Result<Tensor> {
// W weighted_average: computes in f32, casts back | outcome: CAUGHT, cause absent
if weights.dim(D::Minus1)? != value.dim(D::Minus2)? { bail!("dims"); }
matmul(&weights.to_dtype(DType::F32)?, &value.to_dtype(DType::F32)?)?.to_dtype(value.dtype())

}

fn no_cause__weighted_average__loop_rank2(weights: &Tensor, value: &Tensor) -> Result<Tensor> {
// W weighted_average: no values: stacks rows with a loop, fails on empty | outcome: CAUGHT, cause absent
let n = value.dim(D::Minus2)?;
if weights.dim(D::Minus1)? != n || weights.dims()[..weights.rank() - 2] != value.dims()[..value.rank() - 2] {
    bail!("shapes do not fit");
}
let mut out: Option<Tensor> = None;
for j in 0..n {
    let term = weights.narrow(D::Minus1, j, 1)?.broadcast_mul(&value.narrow(D::Minus2, j, 1)?)?;
    out = Some(match out { None => term, Some(o) => (o + term)? });
}
match out { Some(o) => Ok(o), None => bail!("no values") }

}

fn uncaught__cosine_similarity__nan_grad(a: &Tensor, b: &Tensor) -> Result<Tensor> {
// W cosine_similarity: sqrt before the clamp: gradient NaN at a zero vector | outcome: NOT CAUGHT
use crate::solution as s;
let norm = |x: &Tensor| s::dot(x, x)?.sqrt()?.maximum(1e-8);
s::dot(a, b)? / (norm(a)? * norm(b)?)?

}

fn uncaught__top_k__partial_cmp(scores: &Tensor, k: usize) -> Result<Vec<usize>> {
// W top_k: partial_cmp: -0 counts as equal to 0 | outcome: NOT CAUGHT
let v: Vec<f64> = scores.to_dtype(DType::F64)?.to_vec1()?;
if k > v.len() {
    bail!("k too large");
}
let mut order: Vec<usize> = (0..v.len()).collect();
order.sort_by(|&i, &j| v[j].partial_cmp(&v[i]).unwrap_or(std::cmp::Ordering::Equal));
order.truncate(k);
Ok(order)

}

#[test]
fn answers() {
    println!("=== no_cause__cosine_similarity__f32\n{}\n", check::cosine_similarity(no_cause__cosine_similarity__f32));
    println!("=== no_cause__dot__f32\n{}\n", check::dot(no_cause__dot__f32));
    println!("=== no_cause__naive_softmax__detached_sum\n{}\n", check::naive_softmax(no_cause__naive_softmax__detached_sum));
    println!("=== no_cause__scores__f32\n{}\n", check::scores(no_cause__scores__f32));
    println!("=== no_cause__weighted_average__f32\n{}\n", check::weighted_average(no_cause__weighted_average__f32));
    println!("=== no_cause__weighted_average__loop_rank2\n{}\n", check::weighted_average(no_cause__weighted_average__loop_rank2));
    println!("=== uncaught__cosine_similarity__nan_grad\n{}\n", check::cosine_similarity(uncaught__cosine_similarity__nan_grad));
    println!("=== uncaught__top_k__partial_cmp\n{}\n", check::top_k(uncaught__top_k__partial_cmp));
}
