//! What an attention layer must offer to be a part of a model.

use candle_core::{Result, Tensor};

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

    /// From now on, dropout draws from `seed`. A layer without dropout has nothing to do.
    fn reseed(&self, _seed: u64) {}
}
// ANCHOR_END: attention

/// Makes a type with week 4's `forward` and `seeds` an [`Attention`].
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
                <$layer>::forward(
                    self,
                    query,
                    key,
                    value,
                    attn_mask,
                    need_weights,
                    train,
                )
            }

            fn reseed(&self, seed: u64) {
                self.seeds.restart(seed);
            }
        }
    };
}
attention!(multi_head::solution::MultiHeadAttention);
attention!(multi_head::exercise::MultiHeadAttention);
