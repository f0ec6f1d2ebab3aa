//! Wrong variances.

use crate::{
    scaling::Binary,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType};

pub fn dot_product_variance() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "computed in f32",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |query, key| {
                let products =
                    (query.to_dtype(DType::F32)? * key.to_dtype(DType::F32)?)?.sum(D::Minus1)?;
                let apart = products.broadcast_sub(&products.mean_all()?)?;
                apart.sqr()?.mean_all()?.to_dtype(query.dtype())
            }
        ),
        wrong!(
            "second moment instead of variance",
            "the mean is not subtracted: the mean of the squares is the variance only when the mean is 0.",
            |query, key| (query * key)?.sum(D::Minus1)?.sqr()?.mean_all()
        ),
        wrong!(
            "sum over dim forgotten",
            "this is the variance of the individual products, not of the dot products: sum over the last dimension first.",
            |query, key| {
                let products = (query * key)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "divides by draws minus one",
            "the squared distances are divided by draws − 1 (candle's and PyTorch's `var` do that by default); here their plain mean is asked for.",
            |query, key| (query * key)?.sum(D::Minus1)?.var(0)
        ),
        wrong!(
            "standard deviation",
            "this is the standard deviation: leave the last square root out.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()?.sqrt()
            }
        ),
        wrong!(
            "mean absolute distance",
            "the absolute distances from the mean are averaged: square them.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.abs()?.mean_all()
            }
        ),
        wrong!(
            "mean over dim instead of sum",
            "the products are averaged over the last dimension: a dot product is their sum.",
            |query, key| {
                let products = (query * key)?.mean(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "summed over the draws",
            "the products are summed over the draws (dimension 0): a dot product sums over dim, the last one.",
            |query, key| {
                let products = (query * key)?.sum(0)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "in one pass",
            "E[x²] − E[x]² subtracts two large numbers that are nearly equal when the mean is large, and f32 loses the difference: subtract the mean first.",
            |query, key| {
                let products = (query * key)?.sum(D::Minus1)?;
                products.sqr()?.mean_all()? - products.mean_all()?.sqr()?
            }
        ),
        wrong!(
            "broadcasts",
            "one key row is silently paired with all query rows: `*` refuses shapes that differ, `broadcast_mul` does not.",
            |query, key| {
                let products = query.broadcast_mul(key)?.sum(D::Minus1)?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
        wrong!(
            "all pairs instead of pairs of rows",
            "every query row met every key row: pair row i with row i only (multiply elementwise, then sum over dim).",
            |query, key| {
                let products = query.matmul(&key.t()?)?.flatten_all()?;
                products.broadcast_sub(&products.mean_all()?)?.sqr()?.mean_all()
            }
        ),
    ]
}
