//! Week 4: what heads, dropout, `MultiHeadAttention` and the formulas for its cost must hold.

mod attention;
mod cost;
mod dropout;
mod heads;

pub use attention::{Build, Forward, multi_head_attention};
pub use cost::{CacheBytes, Flops, Parameters, attention_flops, kv_cache_bytes, parameter_count};
pub use dropout::{Dropout, dropout};
pub use heads::{
    CombineHeads, Diversity, Regroup, combine_heads, head_diversity, repeat_kv, split_heads,
};

use crate::Proof;
use candle_core::{DType, Device, Result, Tensor};
use std::fmt;

/// The zoo of this week, in parts that are judged side by side.
pub(crate) const ZOO: &[fn() -> Vec<Proof>] =
    &[heads::zoo, dropout::zoo, attention::zoo, cost::zoo];

/// The sizes of a layer: what a chapter's config is made from.
#[derive(Clone, Copy, PartialEq)]
pub struct MultiHeadSpec {
    /// The dimension of a token's vector.
    pub embed_dim: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Heads of keys and values.
    pub num_kv_heads: usize,
    /// The probability that a weight is dropped in training.
    pub dropout: f64,
    /// Whether projections have a bias.
    pub bias: bool,
}

/// `embed_dim`, `num_heads`, `num_kv_heads`, `dropout`, `bias`: a chapter's config is `From` them.
pub type Sizes = (usize, usize, usize, f64, bool);

/// As the chapter's config, which is what a learner knows.
impl fmt::Debug for MultiHeadSpec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MultiHeadConfig")
            .field("embed_dim", &self.embed_dim)
            .field("num_heads", &self.num_heads)
            .field("num_kv_heads", &self.num_kv_heads)
            .field("dropout", &self.dropout)
            .field("bias", &self.bias)
            .finish()
    }
}

impl MultiHeadSpec {
    fn new(embed_dim: usize, num_heads: usize) -> Self {
        Self { embed_dim, num_heads, num_kv_heads: num_heads, dropout: 0., bias: true }
    }

    fn grouped(embed_dim: usize, num_heads: usize, num_kv_heads: usize) -> Self {
        Self { num_kv_heads, ..Self::new(embed_dim, num_heads) }
    }

    fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    pub(crate) fn head_dim(self) -> usize {
        self.embed_dim / self.num_heads
    }

    fn config<C: From<Sizes>>(self) -> C {
        let Self { embed_dim, num_heads, num_kv_heads, dropout, bias } = self;
        C::from((embed_dim, num_heads, num_kv_heads, dropout, bias))
    }
}

/// 0, 1, 2, … in this shape, f32: each number says where it came from.
fn counting(shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    let shape = shape.into();
    Tensor::arange(0u32, shape.elem_count() as u32, &Device::Cpu)?
        .to_dtype(DType::F32)?
        .reshape(shape)
}
