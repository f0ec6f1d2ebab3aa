//! Wrong entropies.

use crate::{
    scaling::Unary,
    wrong::{Wrong, wrong},
};
use candle_core::D;

pub fn entropy() -> Vec<Wrong<Unary>> {
    vec![
        wrong!(
            "ln 0",
            "ln 0 is −inf, and 0 · −inf is NaN: keep the logarithm's argument above 0 (`maximum` with a tiny number).",
            |weights| (weights * weights.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "sign forgotten",
            "the sign is missing: ln w is negative for weights below 1, and entropy is −Σ w ln w.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.sum(D::Minus1)
        ),
        wrong!(
            "in bits",
            "this is the entropy in bits (base 2): the natural logarithm gives nats.",
            |weights| {
                let log = (weights.maximum(1e-38)?.log()? / std::f64::consts::LN_2)?;
                (weights * log)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "mean instead of sum",
            "the terms are averaged over the row: entropy is their sum, the weights already are the average.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.mean(D::Minus1)?.neg()
        ),
        wrong!(
            "epsilon added inside the logarithm",
            "a visible amount was added inside the logarithm, which shifts every entropy: the smallest positive f32 is enough to keep ln away from 0.",
            |weights| (weights * (weights + 1e-3)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "tiny epsilon added inside the logarithm",
            "something was added inside the logarithm, and small weights show it: `maximum` with the smallest positive f32 leaves all others as they are.",
            |weights| (weights * (weights + 1e-9)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "small weights raised",
            "the logarithm's argument is kept above a number that real weights reach, so small weights count too little: the smallest positive f32 is enough.",
            |weights| (weights * weights.maximum(1e-4)?.log()?)?.sum(D::Minus1)?.neg()
        ),
        wrong!(
            "dimension written as a number",
            "dimension 1 is the last one of a matrix only: `D::Minus1` is the last one of any tensor.",
            |weights| (weights * weights.maximum(1e-38)?.log()?)?.sum(1)?.neg()
        ),
        wrong!(
            "NaN in the gradient",
            "the value is right, but the gradient at a weight of 0 is NaN: choosing between w ln w and 0 afterwards still sends 0 · NaN back through the logarithm. Keep the logarithm's argument above 0 instead.",
            |weights| {
                let terms = (weights * weights.log()?)?;
                weights.gt(0.)?.where_cond(&terms, &terms.zeros_like()?)?.sum(D::Minus1)?.neg()
            }
        ),
        wrong!(
            "weight forgotten",
            "Σ −ln w is not weighted: each −ln w counts by its own weight w.",
            |weights| weights.maximum(1e-38)?.log()?.sum(D::Minus1)?.neg()
        ),
    ]
}
