//! The sizes of a Transformer.

use crate::order::NormOrder;
use candle_core::{Result, bail};

// ANCHOR: config
/// The sizes of an encoder-decoder Transformer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerConfig {
    /// How many different tokens there are, the special ones included.
    pub vocab: usize,
    /// The dimension of a token's vector: even, and a multiple of `heads`.
    pub d_model: usize,
    /// The dimension of the vectors inside a feed-forward layer.
    pub d_ff: usize,
    /// Attention heads in each layer.
    pub heads: usize,
    /// Layers of the encoder, and of the decoder.
    pub layers: usize,
    /// The probability that a number is dropped in training, in [0, 1).
    pub dropout: f64,
    /// Where the norms stand.
    pub order: NormOrder,
}
// ANCHOR_END: config

impl TransformerConfig {
    /// The small model of this week: about 170 000 parameters.
    pub fn small(order: NormOrder) -> Self {
        Self {
            vocab: 11,
            d_model: 64,
            d_ff: 128,
            heads: 4,
            layers: 2,
            dropout: 0.,
            order,
        }
    }

    /// The paper's base model, for `vocab` tokens.
    pub fn paper(vocab: usize) -> Self {
        let order = NormOrder::Post;
        Self {
            vocab,
            d_model: 512,
            d_ff: 2048,
            heads: 8,
            layers: 6,
            dropout: 0.1,
            order,
        }
    }

    /// An error unless all sizes are at least 1, `d_model` is even and a multiple of `heads`, and `dropout` is in [0, 1).
    pub fn validate(&self) -> Result<()> {
        let Self { vocab, d_model, d_ff, heads, layers, dropout, .. } = *self;
        for (name, size) in [("vocab", vocab), ("d_ff", d_ff), ("layers", layers)] {
            if size == 0 {
                bail!("{name}: expected at least 1; got 0");
            }
        }
        if d_model == 0 || d_model % 2 != 0 {
            bail!(
                "d_model: expected an even number above 0, for pairs of sine and cosine; got {d_model}"
            );
        }
        if heads == 0 || d_model % heads != 0 {
            bail!("heads: expected a divisor of d_model = {d_model}; got {heads}");
        }
        if !(0. ..1.).contains(&dropout) {
            bail!("dropout: expected a probability in [0, 1); got {dropout}");
        }
        Ok(())
    }
}
