//! Wrong entropies.

use super::through_f32;
use crate::{
    scaling::Unary,
    wrong::{Wrong, wrong},
};
use candle_core::{D, Result, Tensor};

/// The logarithm of the weights, 0 at a weight of 0.
fn log(weights: &Tensor) -> Result<Tensor> {
    weights.gt(0.)?.where_cond(weights, &weights.ones_like()?)?.log()
}

fn entropy_right(weights: &Tensor) -> Result<Tensor> {
    (weights * log(weights)?)?.sum(D::Minus1)?.neg()
}

pub fn entropy() -> Vec<Wrong<Unary>> {
    vec![
        wrong!(
            "ln 0",
            "ln 0 is −inf, and 0 · −inf is NaN: make sure that the logarithm is finite at a weight of 0, before you multiply.",
            |weights| (weights * weights.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "sign forgotten",
            "the sign is missing: ln w is negative for weights below 1, and entropy is −Σ w ln w.",
            |weights| (weights * log(weights)?)?.sum(D::Minus1)
        ),
        wrong!(
            "in bits",
            "this is the entropy in bits (base 2): the natural logarithm gives nats.",
            |weights| {
                let log = (log(weights)? / std::f64::consts::LN_2)?;
                (weights * log)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "mean instead of sum",
            "the terms are averaged over the row: entropy is their sum. The weights in it already make it an average, of −ln w.",
            |weights| (weights * log(weights)?)?.mean(D::Minus1)?.neg()
        ),
        wrong!(
            "epsilon added inside the logarithm",
            "a visible amount was added inside the logarithm, which shifts every entropy: only a weight of 0 needs another argument.",
            |weights| (weights * (weights + 1e-3)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "tiny epsilon added inside the logarithm",
            "something was added inside the logarithm, and small weights show it: only a weight of 0 needs another argument.",
            |weights| (weights * (weights + 1e-9)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "small weights raised",
            "the logarithm's argument is kept above a number that real weights reach, so small weights count too little: only a weight of 0 needs another argument.",
            |weights| (weights * weights.maximum(1e-4)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "dimension written as a number",
            "dimension 1 is the last one of a matrix only: `D::Minus1` is the last one of any tensor.",
            |weights| (weights * log(weights)?)?.sum(1)?.neg()
        ),
        wrong!(
            "NaN in the gradient",
            "the value is right, but the gradient at a weight of 0 is NaN: choosing between w ln w and 0 after the logarithm still sends 0 · ∞ back through it. Choose before the logarithm.",
            |weights| {
                let terms = (weights * weights.log()?)?;
                weights.gt(0.)?.where_cond(&terms, &terms.zeros_like()?)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "a floor that f16 does not know",
            "the logarithm's argument is kept above a number that is 0 in f16, whose smallest is 6e-8: a weight of 0 gives NaN again. A choice between a weight and 1 works in every type.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: leave the type as it comes.",
            |weights| through_f32(weights, entropy_right)
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the weights: something detached them, or read their numbers out.",
            |weights| entropy_right(&weights.detach())
        ),
        wrong!(
            "weight forgotten",
            "Σ −ln w is not weighted: each −ln w counts by its own weight w.",
            |weights| log(weights)?.sum(D::Minus1)?.neg()
        ),
    ]
}
