//! Week 2: what softmax, its relatives and `scaled_dot_product_attention` must hold.

mod attention;
mod backward;
mod entropy;
mod softmax;
mod variance;

pub(crate) use attention::Attention;
pub use attention::scaled_dot_product_attention;
pub use backward::softmax_backward;
pub use entropy::entropy;
pub(crate) use softmax::WithTemperature;
pub use softmax::{log_sum_exp, softmax, softmax_with_temperature};
pub use variance::dot_product_variance;

use crate::{
    Proof,
    harness::{
        Outcome,
        compare::{Rounding, same},
        fixtures::Fixtures,
        show::inputs,
    },
};
use candle_core::{Result, Tensor};

/// `softmax`, `log_sum_exp`, `entropy`: one tensor to one tensor.
pub(crate) type Unary = dyn Fn(&Tensor) -> Result<Tensor>;
/// `dot_product_variance`, `softmax_backward`: two tensors to one.
pub(crate) type Binary = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/scaling.safetensors"))
}

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] =
    &[variance::zoo, softmax::zoo, entropy::zoo, backward::zoo, attention::zoo];

/// The law that a function of one tensor gives `expected`.
fn gives(f: &Unary, name: &str, input: Tensor, expected: Tensor, rounding: Rounding) -> Outcome {
    same(&inputs(&[(name, &input)]), f(&input), &expected, rounding)
}
