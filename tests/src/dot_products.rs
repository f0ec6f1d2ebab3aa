//! Week 1: what similarity, scores, weights and the soft lookup must hold.

mod lookup;
mod search;
mod similarity;
mod weights;

pub(crate) use lookup::Lookup;
pub use lookup::{soft_lookup, weighted_average};
pub(crate) use search::TopK;
pub use search::{scores, top_k};
pub use similarity::{cosine_similarity, dot};
pub(crate) use weights::Normalise;
pub use weights::naive_softmax;

use crate::{
    Proof,
    harness::{
        Outcome,
        compare::{rounding, same},
        fixtures::Fixtures,
        show,
    },
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `dot`, `cosine_similarity`, `scores`, `weighted_average`: two tensors to one.
pub(crate) type Binary = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/dot_products.safetensors"))
}

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] =
    &[similarity::zoo, search::zoo, weights::zoo, lookup::zoo];

fn scalar(value: f32) -> Result<Tensor> {
    Tensor::new(value, &Device::Cpu)
}

fn ones(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::ones(shape, dtype, &Device::Cpu)
}

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F32, &Device::Cpu)
}

/// The rows of the second-last dimension in the opposite order.
fn turned(rows: &Tensor) -> Result<Tensor> {
    let n = rows.dim(D::Minus2)?;
    let order: Vec<u32> = (0..n as u32).rev().collect();
    let at = Tensor::new(order, rows.device())?;
    rows.contiguous()?.index_select(&at, rows.rank() - 2)
}

/// Positive weights whose rows sum to one, `(batch…, seq_q, seq_k)`.
pub(crate) fn weights_of(scores: &Tensor) -> Result<Tensor> {
    let exp = scores.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// The law that two tensors, called by their names, give `expected`.
fn pair(
    names: [&str; 2],
    f: &Binary,
    [a, b]: [&Tensor; 2],
    expected: &Tensor,
    units: usize,
) -> Outcome {
    let given = show::inputs(&[(names[0], a), (names[1], b)]);
    same(&given, f(a, b), expected, rounding(units))
}
