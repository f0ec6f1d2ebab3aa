//! Wrong backward passes of softmax.

use crate::{
    scaling::Binary,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType};

pub fn softmax_backward() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "only the diagonal",
            "this treats each weight as if it depended on its own logit alone, w (1 − w) g as for a sigmoid: raising one logit also lowers the other weights.",
            |weights, grad| (weights * (1. - weights)?)? * grad
        ),
        wrong!(
            "mean not subtracted",
            "this is w ∘ g: the row's weighted mean gradient Σ w g is not subtracted.",
            |weights, grad| weights * grad
        ),
        wrong!(
            "plain mean subtracted",
            "the plain mean of the gradients is subtracted: take the mean weighted by w, Σ w g.",
            |weights, grad| weights * grad.broadcast_sub(&grad.mean_keepdim(D::Minus1)?)?
        ),
        wrong!(
            "sum without keepdim",
            "`sum` drops the dimension, so the means do not line up with their rows: `sum_keepdim` keeps it, with size 1.",
            |weights, grad| {
                let mean = (weights * grad)?.sum(D::Minus1)?;
                weights * grad.broadcast_sub(&mean)?
            }
        ),
        wrong!(
            "weight outside the sum",
            "the plain sum of the gradients is weighted afterwards: each gradient is weighted inside the sum, Σ w g.",
            |weights, grad| {
                let sum = grad.sum_keepdim(D::Minus1)?;
                weights * (grad - weights.broadcast_mul(&sum)?)?
            }
        ),
        wrong!(
            "weight outside the sum, multiplied out",
            "this is w ∘ g − w Σ g: the sum lacks the weights, Σ w g.",
            |weights, grad| {
                (weights * grad)? - weights.broadcast_mul(&grad.sum_keepdim(D::Minus1)?)?
            }
        ),
        wrong!(
            "sum not weighted",
            "this is w ∘ g − Σ w g: multiplied out, Σ w g is multiplied by w too.",
            |weights, grad| {
                let product = (weights * grad)?;
                product.broadcast_sub(&product.sum_keepdim(D::Minus1)?)
            }
        ),
        wrong!(
            "mean of w g",
            "Σ w g is divided by the number of weights: weighting by w already makes it an average, so take the sum.",
            |weights, grad| weights
                * grad.broadcast_sub(&(weights * grad)?.mean_keepdim(D::Minus1)?)?
        ),
        wrong!(
            "sign reversed",
            "the sign is reversed: it is g − Σ w g, not Σ w g − g.",
            |weights, grad| {
                (weights * grad.broadcast_sub(&(weights * grad)?.sum_keepdim(D::Minus1)?)?)?.neg()
            }
        ),
        wrong!(
            "one mean for all rows",
            "one Σ w g is taken over the whole tensor: each row has its own (`sum_keepdim(D::Minus1)`).",
            |weights, grad| weights * grad.broadcast_sub(&(weights * grad)?.sum_all()?)?
        ),
        wrong!(
            "last factor forgotten",
            "g − Σ w g still has to be multiplied by w: a weight of 0 moves nothing.",
            |weights, grad| grad.broadcast_sub(&(weights * grad)?.sum_keepdim(D::Minus1)?)
        ),
        wrong!(
            "computed in f32",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |weights, grad| {
                let [w, g] = [weights.to_dtype(DType::F32)?, grad.to_dtype(DType::F32)?];
                let mean = (&w * &g)?.sum_keepdim(D::Minus1)?;
                (w * g.broadcast_sub(&mean)?)?.to_dtype(weights.dtype())
            }
        ),
        wrong!(
            "broadcasts",
            "one row of weights is silently stretched over two rows of gradients: `*` refuses shapes that differ, `broadcast_mul` does not.",
            |weights, grad| {
                let mean = weights.broadcast_mul(grad)?.sum_keepdim(D::Minus1)?;
                weights.broadcast_mul(&grad.broadcast_sub(&mean)?)
            }
        ),
    ]
}
