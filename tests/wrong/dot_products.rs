//! Week 1's wrong answers.

mod lookup;
mod search;
mod similarity;
mod weights;

pub use lookup::{soft_lookup, weighted_average};
pub use search::{scores, top_k};
pub use similarity::{cosine_similarity, dot};
pub use weights::naive_softmax;

use candle_core::{D, Result, Tensor, bail};

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
