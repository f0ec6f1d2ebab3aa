//! Wrong measures of similarity.

use super::{dot_right, norm, through_f32};
use crate::{
    dot_products::Binary,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor};

pub fn dot() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "not summed",
            "these are the individual products: add them up over the last dimension.",
            |a, b| a * b
        ),
        wrong!(
            "everything summed",
            "all rows were added into one number (`sum_all`): each pair of rows has a dot product of its own, so sum over the last dimension.",
            |a, b| (a * b)?.sum_all()
        ),
        wrong!(
            "summed over dimension 0",
            "the sum runs over dimension 0, which is the last one only for a single vector: use `D::Minus1`.",
            |a, b| (a * b)?.sum(0)
        ),
        wrong!(
            "dimension kept",
            "the numbers are right, but the summed dimension is still there, with size 1: `sum` drops it, `sum_keepdim` keeps it.",
            |a, b| (a * b)?.sum_keepdim(D::Minus1)
        ),
        wrong!(
            "mean instead of sum",
            "the products are averaged: a dot product is their sum, and grows with the dimension.",
            |a, b| (a * b)?.mean(D::Minus1)
        ),
        wrong!(
            "signs lost",
            "the products lost their signs (`abs`): opposite directions must pull the sum down, or opposites look alike.",
            |a, b| (a * b)?.abs()?.sum(D::Minus1)
        ),
        wrong!(
            "sum of the numbers instead of products",
            "paired numbers were added: multiply them. A sum of sums does not depend on which number is paired with which.",
            |a, b| (a + b)?.sum(D::Minus1)
        ),
        wrong!(
            "squared distance",
            "this is the squared distance: it is small for similar vectors, where the dot product is large.",
            |a, b| (a - b)?.sqr()?.sum(D::Minus1)
        ),
        wrong!(
            "longer vector cut",
            "the vector with more numbers was cut to fit the other, as `zip` does silently: dimensions that differ are a mistake of the caller, so return an error.",
            |a, b| {
                let n = a.dim(D::Minus1)?.min(b.dim(D::Minus1)?);
                dot_right(&a.narrow(D::Minus1, 0, n)?, &b.narrow(D::Minus1, 0, n)?)
            }
        ),
        wrong!(
            "broadcast",
            "one vector was paired with many (`broadcast_mul`): shapes that differ are a mistake of the caller, and `a * b` refuses them.",
            |a, b| a.broadcast_mul(b)?.sum(D::Minus1)
        ),
        wrong!(
            "read out of the tensors",
            "the values are right, but no gradient comes back: numbers read out with `to_vec1` (or detached) are no longer connected to their tensor. Stay with tensor operations.",
            |a, b| dot_right(&a.detach(), &b.detach())
        ),
        wrong!(
            "numbers read out as f32",
            "the numbers were read out as f32 (`to_vec1::<f32>`) and added up by hand: other types are refused, and no gradient comes back. Stay with tensor operations, which keep both.",
            |a, b| {
                let numbers = (a * b)?.flatten_all()?.to_vec1::<f32>()?;
                let (dim, leading) = (a.dim(D::Minus1)?, &a.dims()[..a.rank() - 1]);
                let sums: Vec<f32> = numbers.chunks(dim).map(|row| row.iter().sum()).collect();
                Tensor::from_vec(sums, leading, a.device())
            }
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |a, b| (a * b)?.to_dtype(DType::F32)?.sum(D::Minus1)
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |a, b| through_f32(a, b, dot_right)
        ),
    ]
}

/// Cosine similarity with norms of one's own making.
fn cosine(a: &Tensor, b: &Tensor, norms: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    dot_right(a, b)? / (norms(a)? * norms(b)?)?
}

pub fn cosine_similarity() -> Vec<Wrong<Binary>> {
    vec![
        wrong!(
            "not divided",
            "this is the plain dot product, in which a vector of large norm wins by its size: divide by both norms.",
            dot_right
        ),
        wrong!(
            "divided by one norm",
            "only one norm was divided out: the result still grows with the norm of the other vector. Divide by both.",
            |a, b| dot_right(a, b)? / norm(a)?
        ),
        wrong!(
            "root forgotten",
            "the squared norms were divided out: a norm is the square root of the vector's dot product with itself.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.maximum(1e-16))
        ),
        wrong!(
            "norms added",
            "the result was divided by the sum of the norms: their product is the most that a·b can reach, so divide by that.",
            |a, b| dot_right(a, b)? / (norm(a)? + norm(b)?)?
        ),
        wrong!(
            "sum of absolute values as norm",
            "the norm here is the sum of the absolute values: the one in the formula is the square root of the sum of squares.",
            |a, b| cosine(a, b, |x| x.abs()?.sum(D::Minus1)?.maximum(1e-8))
        ),
        wrong!(
            "one norm for all rows",
            "the norm was taken over the whole tensor: each vector has its own, a sum over the last dimension.",
            |a, b| dot_right(a, b)?.broadcast_div(
                &(a.sqr()?.sum_all()?.maximum(1e-16)?.sqrt()?
                    * b.sqr()?.sum_all()?.maximum(1e-16)?.sqrt()?)?
            )
        ),
        wrong!(
            "zero divided by zero",
            "a vector of zeros has norm 0, and 0 / 0 is NaN: keep each norm above 0, for example with `maximum`.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.sqrt())
        ),
        wrong!(
            "root before the maximum",
            "the values are right, but the gradient at a vector of zeros is NaN: the square root has an infinite slope at 0, and the maximum after it multiplies that by 0. Keep the number under the root above 0 instead.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.sqrt()?.maximum(1e-8))
        ),
        wrong!(
            "computed in f32",
            "the type of the input was not kept: the result is always f32. No conversion is needed; tensor operations keep the type.",
            |a, b| {
                let [a, b] = [a.to_dtype(DType::F32)?, b.to_dtype(DType::F32)?];
                cosine(&a, &b, norm)
            }
        ),
        wrong!(
            "computed in f32 and converted back",
            "f64 was computed in f32 and converted back, so half of its digits are gone: keep the input's type.",
            |a, b| through_f32(a, b, |a, b| cosine(a, b, norm))
        ),
        wrong!(
            "epsilon added",
            "something was added to the norms to avoid dividing by zero, and tiny vectors lose their direction: raise a norm that is too small instead (`maximum`), which leaves all others as they are.",
            |a, b| dot_right(a, b)? / ((norm(a)? * norm(b)?)? + 1e-6)?
        ),
        wrong!(
            "square of the smallest norm forgotten",
            "the *squared* norm was kept above 1e-8, which keeps the norm above 1e-4: square the limit as well.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.maximum(1e-8)?.sqrt())
        ),
        wrong!(
            "product of the norms kept above 1e-8",
            "the product of the norms was kept above 1e-8, and a product of two small norms is far below it: keep each norm above it.",
            |a, b| {
                let norm = |x: &Tensor| dot_right(x, x)?.sqrt();
                dot_right(a, b)? / (norm(a)? * norm(b)?)?.maximum(1e-8)?
            }
        ),
        wrong!(
            "broadcast",
            "one vector was compared with many (`broadcast_mul`): shapes that differ are a mistake of the caller, and `a * b` refuses them.",
            |a, b| a
                .broadcast_mul(b)?
                .sum(D::Minus1)?
                .broadcast_div(&norm(a)?.broadcast_mul(&norm(b)?)?)
        ),
        wrong!(
            "1e-8 added to each norm",
            "something was added to the norms to avoid dividing by zero, and the similarity of tiny vectors changes: raise a norm that is too small instead (`maximum`), which leaves all others as they are.",
            |a, b| cosine(a, b, |x| dot_right(x, x)?.sqrt()? + 1e-8)
        ),
        wrong!(
            "1e-8 added to the product of the norms",
            "something was added to the norms to avoid dividing by zero, and tiny vectors lose their direction: raise a norm that is too small instead (`maximum`), which leaves all others as they are.",
            |a, b| {
                let norm = |x: &Tensor| dot_right(x, x)?.sqrt();
                dot_right(a, b)? / ((norm(a)? * norm(b)?)? + 1e-8)?
            }
        ),
        wrong!(
            "sign lost",
            "the sign is gone: opposite directions have a similarity of −1, not 1.",
            |a, b| cosine(a, b, norm)?.abs()
        ),
        wrong!(
            "NaN replaced afterwards",
            "NaN was replaced by 0 after the division: the value at a vector of zeros is right then, but its gradient is NaN all the same, and norms below 1e-8 are divided by as they are. Keep each norm above 1e-8 before you divide.",
            |a, b| {
                let cosine = cosine(a, b, |x| dot_right(x, x)?.sqrt())?;
                cosine.eq(&cosine)?.where_cond(&cosine, &cosine.zeros_like()?)
            }
        ),
        wrong!(
            "read out of the tensors",
            "the values are right, but no gradient comes back: numbers read out of their tensors (or detached) are no longer connected to them. Stay with tensor operations.",
            |a, b| cosine(&a.detach(), &b.detach(), norm)
        ),
        wrong!(
            "norms detached",
            "the values are right, but the norms were detached: they depend on the vectors too, and their share of the gradient is missing.",
            |a, b| cosine(a, b, |x| Ok(norm(x)?.detach()))
        ),
    ]
}
