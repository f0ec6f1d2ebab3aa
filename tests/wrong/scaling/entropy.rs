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

/// A constant added inside the logarithm.
fn added(name: &'static str, constant: f64) -> Wrong<Unary> {
    let diagnosis = "a constant added inside the logarithm shifts every weight, the small ones most: only a weight of 0 needs another argument. Choose it (`where_cond`).";
    let answer =
        move |weights: &Tensor| (weights * (weights + constant)?.log()?)?.sum(D::Minus1)?.neg();
    Wrong { name, diagnosis, answer: Box::new(answer) }
}

/// A logarithm whose argument has a floor.
fn floored(name: &'static str, floor: f64) -> Wrong<Unary> {
    let diagnosis = "the logarithm's argument is kept above a floor that real weights fall below, so these count too little: only a weight of 0 needs another argument. Choose it (`where_cond`).";
    let answer =
        move |weights: &Tensor| (weights * weights.maximum(floor)?.log()?)?.sum(D::Minus1)?.neg();
    Wrong { name, diagnosis, answer: Box::new(answer) }
}

pub fn entropy() -> Vec<Wrong<Unary>> {
    let mut wrong: Vec<Wrong<Unary>> = vec![
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
            "dimension kept",
            "the values are right, but the last dimension is still there, with size 1: `sum` drops it, `sum_keepdim` keeps it.",
            |weights| (weights * log(weights)?)?.sum_keepdim(D::Minus1)?.neg()
        ),
        wrong!(
            "one sum for the whole tensor",
            "everything was summed into one number: each row has an entropy of its own (`sum(D::Minus1)`).",
            |weights| (weights * log(weights)?)?.sum_all()?.neg()
        ),
        wrong!(
            "over the second-last dimension",
            "the sum runs over the second-last dimension, down the columns: use `D::Minus1`.",
            |weights| (weights * log(weights)?)?.sum(D::Minus2)?.neg()
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
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
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
    ];
    wrong.extend([
        added("1e-3 added inside the logarithm", 1e-3),
        added("1e-4 added inside the logarithm", 1e-4),
        added("1e-5 added inside the logarithm", 1e-5),
        added("1e-6 added inside the logarithm", 1e-6),
        added("1e-7 added inside the logarithm", 1e-7),
        added("1e-8 added inside the logarithm", 1e-8),
        added("1e-9 added inside the logarithm", 1e-9),
        added("1e-10 added inside the logarithm", 1e-10),
        added("f32's ε added inside the logarithm", f64::from(f32::EPSILON)),
        added("1e-11 added inside the logarithm", 1e-11),
        added("1e-12 added inside the logarithm", 1e-12),
        floored("floor of 1e-4", 1e-4),
        floored("floor of 1e-5", 1e-5),
        floored("floor of 1e-6", 1e-6),
        floored("floor of 1e-7", 1e-7),
        floored("floor of 1e-8", 1e-8),
        floored("floor of 1e-9", 1e-9),
        floored("floor of 1e-10", 1e-10),
        floored("floor of 1e-12", 1e-12),
    ]);
    wrong
}
