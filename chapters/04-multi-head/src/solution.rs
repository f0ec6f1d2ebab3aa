//! Week 4, solved: many heads, dropout, shared keys and values, and what they cost.

// GIVEN: seeded::uniform
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
    let (batch, seq, dim) = x.dims3()?;
    if num_heads == 0 || dim % num_heads != 0 {
        bail!(
            "num_heads: expected a divisor of {dim}, the size of x's last dimension; \
             got {num_heads}"
        );
    }
    x.reshape((batch, seq, num_heads, dim / num_heads))?
        .transpose(1, 2)? // (batch, num_heads, seq, head_dim)
        .contiguous()
}
// ANCHOR_END: split_heads

// ANCHOR: combine_heads
/// Puts the heads of each token side by side again: the inverse of `split_heads`.
///
/// `x` `(batch, num_heads, seq, head_dim)` → `(batch, seq, num_heads ·
/// head_dim)`, of the type of `x`; the gradient goes through. No tokens give no
/// tokens. Errors unless `x` has four dimensions.
pub fn combine_heads(x: &Tensor) -> Result<Tensor> {
    let (batch, num_heads, seq, head_dim) = x.dims4()?;
    x.transpose(1, 2)? // (batch, seq, num_heads, head_dim)
        .reshape((batch, seq, num_heads * head_dim))
}
// ANCHOR_END: combine_heads

// ANCHOR: parameter_count
/// How many numbers a `MultiHeadAttention` of these sizes learns, biases included
/// if it has them.
pub fn parameter_count(config: &MultiHeadConfig) -> usize {
    let (embed_dim, kv_dim) = (config.embed_dim, config.kv_dim());
    let layer = |out: usize| out * embed_dim + if config.bias { out } else { 0 };
    2 * layer(embed_dim) + 2 * layer(kv_dim) // query and output, key and value
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
    if !(0. ..1.).contains(&rate) {
        bail!("rate: expected a probability in [0, 1); got {rate}");
    }
    if rate == 0. {
        return Ok(x.clone());
    }
    let keep = seeded::uniform(seed, x.shape())?.ge(rate)?; // u8: 1 = kept
    let keep = keep.to_device(x.device())?.to_dtype(x.dtype())?;
    (x * keep)? / (1. - rate)
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
    let (batch, kv_heads, seq, head_dim) = x.dims4()?;
    if groups == 0 {
        bail!("groups: expected at least 1 query head for each key-value head; got 0");
    }
    x.unsqueeze(2)?.broadcast_as((batch, kv_heads, groups, seq, head_dim))?.reshape((
        batch,
        kv_heads * groups,
        seq,
        head_dim,
    ))
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
        config.validate()?;
        let (embed_dim, kv_dim) = (config.embed_dim, config.kv_dim());
        let linear = |out, name| linear_b(embed_dim, out, config.bias, vb.pp(name));
        Ok(Self {
            config: *config,
            seeds: SeedStream::named(&vb.prefix()),
            q_proj: linear(embed_dim, "q_proj")?,
            k_proj: linear(kv_dim, "k_proj")?,
            v_proj: linear(kv_dim, "v_proj")?,
            out_proj: linear(embed_dim, "out_proj")?,
        })
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
        let config = &self.config;
        config.inputs_fit(query, key, value, attn_mask)?;
        let groups = config.num_heads / config.num_kv_heads;
        let query = split_heads(&project(&self.q_proj, query)?, config.num_heads)?;
        let key = split_heads(&project(&self.k_proj, key)?, config.num_kv_heads)?;
        let value = split_heads(&project(&self.v_proj, value)?, config.num_kv_heads)?;
        let (key, value) = (repeat_kv(&key, groups)?, repeat_kv(&value, groups)?);

        let d_k = config.head_dim() as f64;
        // (batch, num_heads, seq_q, seq_k)
        let logits = (scores(&query, &key)? / d_k.sqrt())?;
        let weights = masked_softmax(&logits, attn_mask)?;
        let kept = match train {
            true => dropout(&weights, config.dropout, self.seeds.next_seed())?,
            false => weights.clone(),
        };
        // (batch, num_heads, seq_q, head_dim)
        let heads = weighted_average(&kept, &value)?;
        let output = project(&self.out_proj, &combine_heads(&heads)?)?;
        Ok((output, need_weights.then_some(weights)))
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
    let (batch, heads, seq_q, _) = weights.dims4()?;
    if heads < 2 || batch * seq_q == 0 {
        let got = weights.dims();
        bail!("weights: expected at least two heads and one query; got {got:?}");
    }
    let one = weights.unsqueeze(1)?; // (batch, 1, heads, seq_q, seq_k)
    let other = weights.unsqueeze(2)?; // (batch, heads, 1, seq_q, seq_k)
    let apart = one.broadcast_sub(&other)?.abs()?.sum_all()?;
    let pairs = batch * seq_q * heads * (heads - 1); // a head and itself are 0 apart
    apart / (2 * pairs) as f64
}
// ANCHOR_END: head_diversity

// ANCHOR: attention_flops
/// The floating-point operations of the matrix products in one forward pass; a
/// multiplication and an addition count as 2.
///
/// One sequence of `seq_q` queries and `seq_k` keys. Biases, mask, softmax and
/// dropout are left out.
pub fn attention_flops(config: &MultiHeadConfig, seq_q: usize, seq_k: usize) -> usize {
    let (embed_dim, kv_dim) = (config.embed_dim, config.kv_dim());
    let projections =
        2 * seq_q * embed_dim * embed_dim + 2 * seq_k * embed_dim * kv_dim;
    let attention = 2 * seq_q * seq_k * embed_dim; // scores and average, over all heads
    2 * (projections + attention)
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
    let numbers = 2 * layers * batch * seq * config.kv_dim(); // a key and a value each
    numbers * dtype.size_in_bytes()
}
// ANCHOR_END: kv_cache_bytes
