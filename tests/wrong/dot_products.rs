//! Week 1's wrong answers.

mod lookup;
mod search;
mod similarity;
mod weights;

pub use lookup::{soft_lookup, weighted_average};
pub use search::{scores, top_k};
pub use similarity::{cosine_similarity, dot};
pub use weights::naive_softmax;

use candle_core::{D, DType, Result, Tensor, bail};

/// What a function of two tensors computes in f32, in the type that came.
fn through_f32(
    a: &Tensor,
    b: &Tensor,
    f: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    f(&a.to_dtype(DType::F32)?, &b.to_dtype(DType::F32)?)?.to_dtype(a.dtype())
}

fn dot_right(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a * b)?.sum(D::Minus1)
}

fn norm(x: &Tensor) -> Result<Tensor> {
    dot_right(x, x)?.maximum(1e-16)?.sqrt()
}

/// Each vector divided by its norm.
fn unit(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&norm(x)?.unsqueeze(D::Minus1)?)
}

/// Q·Kᵀ.
fn scores_right(query: &Tensor, key: &Tensor) -> Result<Tensor> {
    product(query, &key.transpose(D::Minus2, D::Minus1)?)
}

fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.dims(), b.dims()) {
        ([batch_a @ .., _, _], [batch_b @ .., _, _]) if batch_a == batch_b => a.matmul(b),
        _ => bail!("leading dimensions do not fit"),
    }
}
