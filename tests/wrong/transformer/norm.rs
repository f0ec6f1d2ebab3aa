//! Wrong layer norms: a right one, each time with one fault.

use crate::{
    transformer::LayerNorm,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};

fn fits(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<()> {
    let dim = x.dim(D::Minus1)?;
    match weight.dims() == [dim] && bias.dims() == [dim] {
        true => Ok(()),
        false => bail!("weight and bias do not fit"),
    }
}

/// The numbers without their mean, and the mean of their squares.
fn centred(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    Ok((centred, variance))
}

/// The right normed numbers.
fn normal(x: &Tensor, eps: f64) -> Result<Tensor> {
    let (centred, variance) = centred(x)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

/// The right scale and shift of normed numbers.
fn learned(x: &Tensor, normal: Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    fits(x, weight, bias)?;
    normal.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Normed over other dimensions than the last.
fn over(x: &Tensor, dims: &[usize], eps: f64) -> Result<Tensor> {
    let mean = |x: &Tensor| dims.iter().try_fold(x.clone(), |x, &dim| x.mean_keepdim(dim));
    let centred = x.broadcast_sub(&mean(x)?)?;
    centred.broadcast_div(&(mean(&centred.sqr()?)? + eps)?.sqrt()?)
}

pub fn layer_norm() -> Vec<Wrong<LayerNorm>> {
    vec![
        wrong!(
            "variance over dim − 1",
            "the variance is divided by dim − 1, as statistics does for a sample: layer norm divides by dim. candle's `var` does the former.",
            |x, weight, bias, eps| {
                let (centred, variance) = centred(x)?;
                let dim = x.dim(D::Minus1)? as f64;
                let variance = (variance * (dim / (dim - 1.).max(1.)))?;
                learned(x, centred.broadcast_div(&(variance + eps)?.sqrt()?)?, weight, bias)
            }
        ),
        wrong!(
            "eps outside the root",
            "eps is added to the root: it belongs under the root, with the variance.",
            |x, weight, bias, eps| {
                let (centred, variance) = centred(x)?;
                learned(x, centred.broadcast_div(&(variance.sqrt()? + eps)?)?, weight, bias)
            }
        ),
        wrong!(
            "eps forgotten",
            "eps is not used: numbers that are all equal then give 0 / 0, which is NaN.",
            |x, weight, bias, _| learned(x, normal(x, 0.)?, weight, bias)
        ),
        wrong!(
            "root forgotten",
            "the numbers are divided by the variance: dividing by its root is what brings the variance to 1.",
            |x, weight, bias, eps| {
                let (centred, variance) = centred(x)?;
                learned(x, centred.broadcast_div(&(variance + eps)?)?, weight, bias)
            }
        ),
        wrong!(
            "over the whole tensor",
            "mean and variance are taken over all tokens together: each token has its own, over the last dimension. Otherwise a token's result depends on its neighbours, including future ones.",
            |x, weight, bias, eps| {
                let dims: Vec<usize> = (0..x.rank()).collect();
                let normal = if x.elem_count() == 0 { x.clone() } else { over(x, &dims, eps)? };
                learned(x, normal, weight, bias)
            }
        ),
        wrong!(
            "over the tokens",
            "mean and variance are taken over the tokens, for each number: that is nearer to batch norm. Layer norm goes over the last dimension.",
            |x, weight, bias, eps| {
                let normal = match x.rank() {
                    1 => normal(x, eps)?,
                    _ if x.elem_count() == 0 => x.clone(),
                    rank => over(x, &[rank - 2], eps)?,
                };
                learned(x, normal, weight, bias)
            }
        ),
        wrong!(
            "variance over the tokens",
            "the mean is right, but the variance is taken over the tokens, for each number: both go over the last dimension.",
            |x, weight, bias, eps| {
                let (centred, variance) = centred(x)?;
                let variance = match x.rank() {
                    rank if rank > 1 && x.elem_count() > 0 => {
                        centred.sqr()?.mean_keepdim(rank - 2)?
                    }
                    _ => variance,
                };
                learned(x, centred.broadcast_div(&(variance + eps)?.sqrt()?)?, weight, bias)
            }
        ),
        wrong!(
            "mean left in",
            "the mean is not subtracted: dividing by the root of the mean square alone is RMS norm.",
            |x, weight, bias, eps| {
                let size = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
                learned(x, x.broadcast_div(&size)?, weight, bias)
            }
        ),
        wrong!(
            "divided by the mean square",
            "the mean is subtracted, but the divisor comes from the numbers with their mean: take the mean of the squares after you have subtracted it.",
            |x, weight, bias, eps| {
                let size = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
                learned(x, centred(x)?.0.broadcast_div(&size)?, weight, bias)
            }
        ),
        wrong!(
            "mean square minus square of the mean",
            "the variance is the difference of two large numbers, E[x²] − E[x]², in which f32 loses all digits: subtract the mean first, then square.",
            |x, weight, bias, eps| {
                let mean = x.mean_keepdim(D::Minus1)?;
                let variance = (x.sqr()?.mean_keepdim(D::Minus1)? - mean.sqr()?)?.relu()?;
                let normal = x.broadcast_sub(&mean)?.broadcast_div(&(variance + eps)?.sqrt()?)?;
                learned(x, normal, weight, bias)
            }
        ),
        wrong!(
            "weight forgotten",
            "the weight is not used: multiply the normed numbers by it.",
            |x, weight, bias, eps| learned(x, normal(x, eps)?, &weight.ones_like()?, bias)
        ),
        wrong!(
            "bias forgotten",
            "the bias is not used: add it at the end.",
            |x, weight, bias, eps| learned(x, normal(x, eps)?, weight, &bias.zeros_like()?)
        ),
        wrong!(
            "weight and bias exchanged",
            "weight and bias have changed places: the weight is multiplied, the bias added.",
            |x, weight, bias, eps| learned(x, normal(x, eps)?, bias, weight)
        ),
        wrong!(
            "bias before weight",
            "the bias is added before the weight is multiplied, and so it is scaled as well: add it last.",
            |x, weight, bias, eps| {
                fits(x, weight, bias)?;
                normal(x, eps)?.broadcast_add(bias)?.broadcast_mul(weight)
            }
        ),
        wrong!(
            "statistics detached",
            "the backward pass treats mean and variance as constants: compute them without `detach`, for they depend on x.",
            |x, weight, bias, eps| {
                let (_, variance) = centred(x)?;
                let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?.detach())?;
                let size = (variance + eps)?.sqrt()?.detach();
                learned(x, centred.broadcast_div(&size)?, weight, bias)
            }
        ),
        wrong!(
            "mean detached",
            "the values are right, but the backward pass treats the mean as a constant, and its part of the gradient is missing: subtract the mean without `detach`.",
            |x, weight, bias, eps| {
                let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?.detach())?;
                let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
                learned(x, centred.broadcast_div(&(variance + eps)?.sqrt()?)?, weight, bias)
            }
        ),
        wrong!(
            "variance detached",
            "the values are right, but the backward pass treats the variance as a constant, and its part of the gradient is missing: divide by its root without `detach`.",
            |x, weight, bias, eps| {
                let (centred, variance) = centred(x)?;
                let size = (variance + eps)?.sqrt()?.detach();
                learned(x, centred.broadcast_div(&size)?, weight, bias)
            }
        ),
        wrong!(
            "shapes not looked at",
            "a weight or bias of another shape was stretched by broadcasting, silently: compare its shape with the last dimension of x first.",
            |x, weight, bias, eps| normal(x, eps)?.broadcast_mul(weight)?.broadcast_add(bias)
        ),
        wrong!(
            "candle's fused norm",
            "this is candle's fused layer norm. It has no backward pass, so whatever lies before it never learns, and its variance is E[x²] − E[x]², in which f32 loses its digits. Use plain tensor operations.",
            |x, weight, bias, eps| {
                fits(x, weight, bias)?;
                match x.elem_count() {
                    0 => Ok(x.clone()),
                    _ => candle_nn::ops::layer_norm(&x.contiguous()?, weight, bias, eps as f32),
                }
            }
        ),
        wrong!(
            "through f32",
            "f64 is computed in f32: the type comes out right and half of the digits are gone. Keep the numbers in the type they arrive in.",
            |x, weight, bias, eps| {
                let single = |x: &Tensor| x.to_dtype(DType::F32);
                let (small, weight, bias) = (single(x)?, single(weight)?, single(bias)?);
                learned(&small, normal(&small, eps)?, &weight, &bias)?.to_dtype(x.dtype())
            }
        ),
    ]
}
