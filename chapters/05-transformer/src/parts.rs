//! Which functions a model is made of.

use crate::{
    NormOrder, exercise, fused,
    order::{Cross, Step},
    solution,
};
use candle_core::{Device, Result, Tensor};
use candle_nn::{Linear, VarBuilder};
use multi_head::{MultiHeadConfig, projection::project};

// ANCHOR: attention
/// An attention layer that a Transformer can be built with: week 4's, yours, week 7's.
pub trait Attention: Send + Sync {
    /// As [`multi_head::MultiHeadAttention::forward`], which says the shapes.
    fn forward(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        attn_mask: Option<&Tensor>,
        need_weights: bool,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>)>;
}
// ANCHOR_END: attention

/// Makes a type with week 4's `forward` an [`Attention`].
macro_rules! attention {
    ($layer:ty) => {
        impl Attention for $layer {
            fn forward(
                &self,
                query: &Tensor,
                key: &Tensor,
                value: &Tensor,
                attn_mask: Option<&Tensor>,
                need_weights: bool,
                train: bool,
            ) -> Result<(Tensor, Option<Tensor>)> {
                <$layer>::forward(self, query, key, value, attn_mask, need_weights, train)
            }
        }
    };
}
attention!(multi_head::solution::MultiHeadAttention);
attention!(multi_head::exercise::MultiHeadAttention);

/// Builds an attention layer from its sizes and weights.
pub type MakeAttention = fn(&MultiHeadConfig, VarBuilder) -> Result<Box<dyn Attention>>;

/// As [`solution::decoder_layer`].
pub type WireDecoder =
    fn(&Tensor, &Tensor, NormOrder, [&Step; 3], &Step, &Cross, &Step) -> Result<Tensor>;

/// The functions that a model is made of.
#[derive(Clone, Copy)]
pub struct Parts {
    /// Builds an attention layer.
    pub attention: MakeAttention,
    /// As [`solution::positional_encoding`].
    pub positional_encoding: fn(usize, usize, &Device) -> Result<Tensor>,
    /// As [`solution::layer_norm`].
    pub layer_norm: fn(&Tensor, &Tensor, &Tensor, f64) -> Result<Tensor>,
    /// `x·Wᵀ + b`, with a ReLU after it when asked for: x `(batch, seq, in)`, weight `(out, in)`, bias `(out)`.
    pub linear: fn(&Tensor, &Tensor, &Tensor, bool) -> Result<Tensor>,
    /// As [`solution::encoder_layer`].
    pub encoder_layer: fn(&Tensor, NormOrder, [&Step; 2], &Step, &Step) -> Result<Tensor>,
    /// As [`solution::decoder_layer`].
    pub decoder_layer: WireDecoder,
    /// As [`solution::label_smoothing`].
    pub label_smoothing: fn(&Tensor, &Tensor, f64, u32) -> Result<Tensor>,
}

impl Parts {
    /// The course's solutions, in plain candle operations.
    pub fn readable() -> Self {
        Self {
            attention: |config, vb| {
                Ok(Box::new(multi_head::solution::MultiHeadAttention::new(config, vb)?))
            },
            positional_encoding: solution::positional_encoding,
            layer_norm: solution::layer_norm,
            linear,
            encoder_layer: solution::encoder_layer,
            decoder_layer: solution::decoder_layer,
            label_smoothing: solution::label_smoothing,
        }
    }

    /// The same functions, each in one operation ([`crate::fused`]): equal to rounding, and faster in training.
    pub fn fast() -> Self {
        Self {
            attention: |config, vb| Ok(Box::new(fused::FusedAttention::new(config, vb)?)),
            positional_encoding: fused::positional_encoding,
            layer_norm: fused::layer_norm,
            linear: fused::linear,
            ..Self::readable()
        }
    }

    /// What you wrote, in weeks 4 and 5. A stub in it panics with "not yet implemented".
    pub fn mine() -> Self {
        Self {
            attention: |config, vb| {
                Ok(Box::new(multi_head::exercise::MultiHeadAttention::new(config, vb)?))
            },
            positional_encoding: exercise::positional_encoding,
            layer_norm: exercise::layer_norm,
            linear,
            encoder_layer: exercise::encoder_layer,
            decoder_layer: exercise::decoder_layer,
            label_smoothing: exercise::label_smoothing,
        }
    }
}

pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    let out = project(&Linear::new(weight.clone(), Some(bias.clone())), x)?;
    if relu { out.relu() } else { Ok(out) }
}
