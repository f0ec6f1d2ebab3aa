//! Which functions a model is made of.

use super::{attention::Attention, linear::linear};
use crate::{
    exercise,
    order::{Cross, DecoderStep, NormOrder, Step},
    solution,
};
use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use multi_head::MultiHeadConfig;

/// Builds an attention layer from its sizes and weights.
pub type MakeAttention = fn(&MultiHeadConfig, VarBuilder) -> Result<Box<dyn Attention>>;

/// As [`solution::decoder_layer`].
pub type WireDecoder =
    fn(&Tensor, &Tensor, NormOrder, [&Step; 3], &Step, &Cross, &Step) -> Result<Tensor>;

/// As [`solution::encode`].
pub type Encode = fn(&Tensor, &Step, &[&Cross], Option<&Step>) -> Result<Tensor>;

/// As [`solution::decode`].
pub type Decode = fn(
    [&Tensor; 2],
    &Tensor,
    &Step,
    &[&DecoderStep],
    Option<&Step>,
    &Step,
) -> Result<Tensor>;

/// The functions that a model is made of. [`Parts::fast`] stands in [`crate::fused`].
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
    pub encoder_layer:
        fn(&Tensor, NormOrder, [&Step; 2], &Step, &Step) -> Result<Tensor>,
    /// As [`solution::decoder_layer`].
    pub decoder_layer: WireDecoder,
    /// As [`solution::encode`].
    pub encode: Encode,
    /// As [`solution::decode`].
    pub decode: Decode,
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
            encode: solution::encode,
            decode: solution::decode,
            label_smoothing: solution::label_smoothing,
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
            encode: exercise::encode,
            decode: exercise::decode,
            label_smoothing: exercise::label_smoothing,
        }
    }
}
