#![allow(unused)]
use candle_core::{D, DType, Result, Tensor, bail};
use dot_products::solution::{scores, weighted_average}; use scaling::solution::at_least_one;
mod solution { pub use scaling::solution::*; }
use checks::scaling as check;

fn misleading__softmax__abs_max(logits: &Tensor) -> Result<Tensor> {
// W softmax: subtracts the largest magnitude: all logits far below 0 underflow | outcome: CAUGHT, cause MISLEADING
at_least_one(logits)?;
if logits.elem_count() == 0 { return Ok(logits.clone()); }
let exp = logits.broadcast_sub(&logits.abs()?.max_keepdim(D::Minus1)?.detach())?.exp()?;
exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)

}

fn no_cause__log_sum_exp__clamp(logits: &Tensor) -> Result<Tensor> {
// W log_sum_exp: clamps logits to +-80 in place of subtracting the max | outcome: CAUGHT, cause absent
at_least_one(logits)?;
logits.clamp(-80f64, 80f64)?.exp()?.sum_keepdim(D::Minus1)?.log()

}

fn no_cause__log_sum_exp__dim1(logits: &Tensor) -> Result<Tensor> {
// W log_sum_exp: dimension 1 in place of the last | outcome: CAUGHT, cause absent
at_least_one(logits)?;
let d = logits.rank().min(2) - 1;
let max = logits.max_keepdim(d)?.detach();
let sum = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(d)?;
max + sum.log()?

}

fn no_cause__scaled_dot_product_attention__isqrt(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(Tensor, Tensor)> {
// W scaled_dot_product_attention: integer square root of d_k: right for 4, 16, 64 | outcome: CAUGHT, cause absent
use crate::solution as s;
let d = query.dim(D::Minus1)?.isqrt() as f64;
let w = s::softmax(&(scores(query, key)? / d)?)?;
Ok((weighted_average(&w, value)?, w))

}

fn no_cause__scaled_dot_product_attention__key_detached(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(Tensor, Tensor)> {
// W scaled_dot_product_attention: keys detached | outcome: CAUGHT, cause absent
use crate::solution as s;
s::scaled_dot_product_attention(query, &key.detach(), value)

}

fn no_cause__softmax__eps(logits: &Tensor) -> Result<Tensor> {
// W softmax: + 1e-6 in the denominator | outcome: CAUGHT, cause absent
at_least_one(logits)?;
if logits.elem_count() == 0 { return Ok(logits.clone()); }
let exp = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?.exp()?;
exp.broadcast_div(&(exp.sum_keepdim(D::Minus1)? + 1e-6)?)

}

fn no_cause__softmax__in_f32(logits: &Tensor) -> Result<Tensor> {
// W softmax: computes in f32 and casts back (Hugging Face habit): f64 loses digits | outcome: CAUGHT, cause absent
at_least_one(logits)?;
if logits.elem_count() == 0 { return Ok(logits.clone()); }
let x = logits.to_dtype(candle_core::DType::F32)?;
crate::solution::softmax(&x)?.to_dtype(logits.dtype())

}

fn rejected__scaled_dot_product_attention__scale_first(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(Tensor, Tensor)> {
// R scaled_dot_product_attention: divides queries and keys by the fourth root of d | outcome: REJECTED
use crate::solution as s;
let root = (query.dim(D::Minus1)? as f64).sqrt().sqrt();
let w = s::softmax(&scores(&(query / root)?, &(key / root)?)?)?;
Ok((weighted_average(&w, value)?, w))

}

fn rejected__softmax__from_lse(logits: &Tensor) -> Result<Tensor> {
// R softmax: exp(x - log_sum_exp(x)) of the solution | outcome: REJECTED
at_least_one(logits)?;
if logits.elem_count() == 0 { return Ok(logits.clone()); }
logits.broadcast_sub(&crate::solution::log_sum_exp(logits)?)?.exp()

}

fn uncaught__entropy__floor_1e8(weights: &Tensor) -> Result<Tensor> {
// W entropy: floor 1e-8: 0 in f16, so NaN there | outcome: NOT CAUGHT
(weights * weights.maximum(1e-8)?.log()?)?.sum(D::Minus1)?.neg()

}

fn uncaught__scaled_dot_product_attention__detached_scale_f32(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(Tensor, Tensor)> {
// W scaled_dot_product_attention: scale in f32: 1/(d as f32).sqrt(), a few 1e-8 off in f64 | outcome: NOT CAUGHT
use crate::solution as s;
let scale = 1. / (query.dim(D::Minus1)? as f32).sqrt();
let w = s::softmax(&(scores(query, key)? * scale as f64)?)?;
Ok((weighted_average(&w, value)?, w))

}

fn uncaught__softmax_backward__f32(weights: &Tensor, grad: &Tensor) -> Result<Tensor> {
// W softmax_backward: computed in f32 | outcome: NOT CAUGHT
use candle_core::DType;
crate::solution::softmax_backward(&weights.to_dtype(DType::F32)?, &grad.to_dtype(DType::F32)?)?.to_dtype(weights.dtype())

}

fn uncaught__softmax_with_temperature__f16_scaled(logits: &Tensor, temperature: f64) -> Result<Tensor> {
// W softmax_with_temperature: 1/temperature first, in f16: temperature 0.0001 overflows | outcome: NOT CAUGHT
if !(temperature > 0. && temperature.is_finite()) { bail!("temperature"); }
let t = Tensor::new(1. / temperature, logits.device())?.to_dtype(logits.dtype())?;
crate::solution::softmax(&logits.broadcast_mul(&t)?)

}

#[test]
fn answers() {
    println!("=== misleading__softmax__abs_max\n{}\n", check::softmax(misleading__softmax__abs_max));
    println!("=== no_cause__log_sum_exp__clamp\n{}\n", check::log_sum_exp(no_cause__log_sum_exp__clamp));
    println!("=== no_cause__log_sum_exp__dim1\n{}\n", check::log_sum_exp(no_cause__log_sum_exp__dim1));
    println!("=== no_cause__scaled_dot_product_attention__isqrt\n{}\n", check::scaled_dot_product_attention(no_cause__scaled_dot_product_attention__isqrt));
    println!("=== no_cause__scaled_dot_product_attention__key_detached\n{}\n", check::scaled_dot_product_attention(no_cause__scaled_dot_product_attention__key_detached));
    println!("=== no_cause__softmax__eps\n{}\n", check::softmax(no_cause__softmax__eps));
    println!("=== no_cause__softmax__in_f32\n{}\n", check::softmax(no_cause__softmax__in_f32));
    println!("=== rejected__scaled_dot_product_attention__scale_first\n{}\n", check::scaled_dot_product_attention(rejected__scaled_dot_product_attention__scale_first));
    println!("=== rejected__softmax__from_lse\n{}\n", check::softmax(rejected__softmax__from_lse));
    println!("=== uncaught__entropy__floor_1e8\n{}\n", check::entropy(uncaught__entropy__floor_1e8));
    println!("=== uncaught__scaled_dot_product_attention__detached_scale_f32\n{}\n", check::scaled_dot_product_attention(uncaught__scaled_dot_product_attention__detached_scale_f32));
    println!("=== uncaught__softmax_backward__f32\n{}\n", check::softmax_backward(uncaught__softmax_backward__f32));
    println!("=== uncaught__softmax_with_temperature__f16_scaled\n{}\n", check::softmax_with_temperature(uncaught__softmax_with_temperature__f16_scaled));
}
