//! Wrong wirings of a sublayer, of an encoder's and of a decoder's layer.

mod decoder;
mod encoder;
mod residual;

pub use decoder::decoder_layer;
pub use encoder::encoder_layer;
pub use residual::residual;

use crate::transformer::{
    NormOrder::{self, Post, Pre},
    Step,
};
use candle_core::{Result, Tensor};

/// The right sublayer.
fn right(x: &Tensor, order: NormOrder, norm: &Step, sublayer: &Step) -> Result<Tensor> {
    match order {
        Pre => x + sublayer(&norm(x)?)?,
        Post => norm(&(x + sublayer(x)?)?),
    }
}

/// An encoder's layer from its two sublayers.
fn two(x: &Tensor, order: NormOrder, [first, second]: [(&Step, &Step); 2]) -> Result<Tensor> {
    let x = right(x, order, first.0, first.1)?;
    right(&x, order, second.0, second.1)
}
