//! Week 4, your code: replace each `todo!()`, then run `cargo study check multi_head`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `struct MultiHeadConfig { embed_dim: usize, num_heads: usize,
//!   num_kv_heads: usize, dropout: f64, bias: bool }`: The sizes of a
//!   multi-head attention. Methods: `new(embed_dim: usize, num_heads: usize) ->
//!   Self`, `head_dim(&self) -> usize`, `kv_dim(&self) -> usize`,
//!   `validate(&self) -> Result<()>`, `inputs_fit(&self, query: &Tensor, key:
//!   &Tensor, value: &Tensor, attn_mask: Option<&Tensor>) -> Result<()>`.
//! - `project(layer: &Linear, x: &Tensor) -> Result<Tensor>`: `x·Wᵀ + b`, token
//!   by token.
//! - `struct SeedStream`: Seeds for dropout: a new one for each call, the same
//!   ones in each run. Methods: `new(first: u64) -> Self`, `named(name: &str)
//!   -> Self`, `restart(&self, first: u64)`, `next_seed(&self) -> u64`.
//! - `scores(query: &Tensor, key: &Tensor) -> Result<Tensor>` (week 1): Every
//!   query's dot product with every key: Q·Kᵀ.
//! - `weighted_average(weights: &Tensor, value: &Tensor) -> Result<Tensor>`
//!   (week 1): Mixes the values by weight: each output row is Σⱼ weightsᵢⱼ ·
//!   valueⱼ.
//! - `masked_softmax(scores: &Tensor, mask: Option<&Tensor>) -> Result<Tensor>`
//!   (week 3): The softmax of `scores` over the keys that `mask` lets each
//!   query see; a row with nothing to see gets zeros.
//! - `seeded::uniform(seed: u64, shape: impl Into<Shape>) -> Result<Tensor>`
//!   (crate `seeded`): Draws uniformly from `[0, 1)`: `shape`, f32, on the CPU.
#![allow(unused)] // a stub uses nothing yet

use crate::{config::MultiHeadConfig, projection::project, seeds::SeedStream};
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::{Linear, VarBuilder, linear_b};
use dot_products::solution::{scores, weighted_average};
use masking::solution::masked_softmax;

// ANCHOR: split_heads
/// Shares out each token's numbers among the heads: head h gets the h-th slice of
/// `head_dim = dim / num_heads` numbers.
///
/// `x` `(batch, seq, dim)` → `(batch, num_heads, seq, head_dim)`, contiguous, of
/// the type of `x`; the gradient goes through. No tokens give no tokens. Errors
/// when `num_heads` does not divide `dim`, and when it is 0.
pub fn split_heads(x: &Tensor, num_heads: usize) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: split_heads

// ANCHOR: combine_heads
/// Puts the heads of each token side by side again: the inverse of `split_heads`.
///
/// `x` `(batch, num_heads, seq, head_dim)` → `(batch, seq, num_heads ·
/// head_dim)`, of the type of `x`; the gradient goes through. No tokens give no
/// tokens. Errors unless `x` has four dimensions.
pub fn combine_heads(x: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: combine_heads

// ANCHOR: parameter_count
/// How many numbers a `MultiHeadAttention` of these sizes learns, biases included
/// if it has them.
pub fn parameter_count(config: &MultiHeadConfig) -> usize {
    todo!()
}
// ANCHOR_END: parameter_count

// ANCHOR: dropout
/// Sets each number to 0 with probability `rate`, and divides the others by `1 −
/// rate` so that the mean stays.
///
/// `x` has any shape and float type and finite numbers; the result has the same
/// shape and type. A number is dropped where `seeded::uniform(seed, x.shape())`
/// is below `rate`; at rate 0, `x` comes back as it is. The gradient is dropped
/// and divided like the numbers. Errors unless `rate` is in [0, 1).
pub fn dropout(x: &Tensor, rate: f64, seed: u64) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: dropout

// ANCHOR: repeat_kv
/// Repeats each head `groups` times in a row, one copy for each query head that
/// shares it: with `groups` 3, heads 0 1 become 0 0 0 1 1 1.
///
/// `x` `(batch, kv_heads, seq, head_dim)` → `(batch, kv_heads · groups, seq,
/// head_dim)`, of the type of `x`; with `groups` 1 nothing changes. The gradient
/// of a head is the sum over its copies. No tokens give no tokens. Errors when
/// `groups` is 0.
pub fn repeat_kv(x: &Tensor, groups: usize) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: repeat_kv

// ANCHOR: MultiHeadAttention
/// Many attentions side by side, each on its own projection of the tokens
/// ("Attention Is All You Need", section 3.2.2).
#[derive(Debug)]
pub struct MultiHeadAttention {
    /// The sizes.
    pub config: MultiHeadConfig,
    /// Where dropout gets its seeds: one for each call in training.
    pub seeds: SeedStream,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
}

impl MultiHeadAttention {
    /// Takes its weights from `vb`: `q_proj`, `k_proj`, `v_proj` and `out_proj`,
    /// each with `weight` `(out, in)` and, if `config.bias`, a `bias` `(out)`.
    /// `k_proj` and `v_proj` have `num_kv_heads · head_dim` outputs.
    ///
    /// The seeds of dropout are `SeedStream::named(&vb.prefix())`, made from the
    /// layer's name, for example `encoder.0`. Errors when the sizes are invalid
    /// (see `config.validate()`) or a weight is missing.
    pub fn new(config: &MultiHeadConfig, vb: VarBuilder) -> Result<Self> {
        todo!()
    }

    /// What each query gathers from the values and, if `need_weights`, how: one
    /// map of weights per head.
    ///
    /// `query` `(batch, seq_q, embed_dim)`, `key` and `value` `(batch, seq_k,
    /// embed_dim)`, of the weights' type, f32 or f64; `attn_mask` is a keep-mask
    /// (u8, 1 = may attend) or an additive mask of that type, and broadcasts to
    /// `(batch, num_heads, seq_q, seq_k)`. Output `(batch, seq_q, embed_dim)`,
    /// weights `(batch, num_heads, seq_q, seq_k)`. Gradients go through both, to
    /// the projections, the three inputs and an additive mask.
    ///
    /// Weights are dropped only in training (`train`), and only then is a seed
    /// taken. The weights returned are those before dropout. A query that may
    /// see nothing gets weights of 0, so its output is the bias of `out_proj`.
    /// Errors when a shape does not fit (see `self.config.inputs_fit(…)`).
    pub fn forward(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        attn_mask: Option<&Tensor>,
        need_weights: bool,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        todo!()
    }
}
// ANCHOR_END: MultiHeadAttention

// ANCHOR: head_diversity
/// How differently the heads look: the mean of ½ Σₖ |wₖ − uₖ|, where k runs over
/// the keys, over all pairs of different heads and all queries.
///
/// `weights` `(batch, heads, seq_q, seq_k)`, f32, rows summing to one → a scalar
/// tensor: 0 when all heads look alike, 1 when no two heads ever look at the same
/// key. Errors with fewer than two heads, or without queries.
pub fn head_diversity(weights: &Tensor) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: head_diversity

// ANCHOR: attention_flops
/// The floating-point operations of the matrix products in one forward pass; a
/// multiplication and an addition count as 2.
///
/// One sequence of `seq_q` queries and `seq_k` keys. Biases, mask, softmax and
/// dropout are left out.
pub fn attention_flops(config: &MultiHeadConfig, seq_q: usize, seq_k: usize) -> usize {
    todo!()
}
// ANCHOR_END: attention_flops

// ANCHOR: kv_cache_bytes
/// The bytes it takes to keep the keys and values of all past tokens.
///
/// For `layers` layers and `batch` sequences of `seq` tokens each, with numbers
/// of type `dtype`.
pub fn kv_cache_bytes(
    config: &MultiHeadConfig,
    layers: usize,
    batch: usize,
    seq: usize,
    dtype: DType,
) -> usize {
    todo!()
}
// ANCHOR_END: kv_cache_bytes
