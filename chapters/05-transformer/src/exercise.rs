//! Week 5, your code: replace each `todo!()`, then run `cargo study check transformer`.
//!
//! Helpers you may use, in scope or by the path shown:
//!
//! - `type Cross = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a`: Two in,
//!   one out: tokens and memory, or a layer and its mask.
//! - `type DecoderStep = dyn Fn(&Tensor, &Tensor, &Tensor, &Tensor) ->
//!   Result<Tensor> + 'a`: A layer of the decoder: tokens, memory, causal mask,
//!   padding mask.
//! - `enum NormOrder { Pre, Post }`: Where the norm of a sublayer stands.
//! - `type Step = dyn Fn(&Tensor) -> Result<Tensor> + 'a`: One tensor in, one
//!   out: a norm, a sublayer, an embedding.
//! - `type Update = dyn FnMut(GradStore) -> Result<()> + 'a`: Takes the
//!   gradients of a loss, and moves the variables.
//! - `const PADDING: u32 = 0`: Fills up short sequences.
//! - `enum Align { TopLeft, BottomRight }` (week 3): The corner of the scores
//!   from which a causal mask counts.
//! - `causal_mask(seq_q: usize, seq_k: usize, align: Align, device: &Device) ->
//!   Result<Tensor>` (week 3): A keep-mask that hides the future: query i sees
//!   the keys up to its own position, the diagonal included.
#![allow(unused)] // a stub uses nothing yet

use crate::{
    order::{Cross, DecoderStep, NormOrder, Step, Update},
    tokens::PADDING,
};
use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::ops::log_softmax;
use masking::{Align, solution::causal_mask};

// ANCHOR: positional_encoding
/// Where a token stands, as a vector: sines and cosines of `pos` at falling
/// frequencies ("Attention Is All You Need", section 3.5).
///
/// Number `2i` of row `pos` is sin(pos / 10000^(2i/d_model)), number `2i + 1` the
/// cosine of the same angle. f32, `(seq, d_model)`; angles are computed in f64. No
/// positions give an empty table. Errors when `d_model` is odd.
pub fn positional_encoding(
    seq: usize,
    d_model: usize,
    device: &Device,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: positional_encoding

// ANCHOR: layer_norm
/// Each token's numbers brought to mean 0 and variance 1, then scaled and shifted
/// by what the model learns (Ba, Kiros, Hinton 2016).
///
/// `x` and result `(…, dim)`, `weight` and `bias` `(dim)`. The variance is the mean
/// of the squares, divided by `dim` and not by `dim − 1`; `eps` is added to it
/// under the root. f64 in, f64 out, with the precision of f64. Gradients reach `x`,
/// `weight` and `bias`. An empty `x` is fine: no tokens give no tokens. Errors when
/// `weight` or `bias` is not `(dim)`: broadcasting would stretch a single number,
/// silently.
pub fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: layer_norm

// ANCHOR: residual
/// One sublayer with its norm and its shortcut.
///
/// [`NormOrder::Pre`]: `x + sublayer(norm(x))`; [`NormOrder::Post`], the paper's:
/// `norm(x + sublayer(x))`. Norm and sublayer run once each. An error of either is
/// passed on; a sublayer whose result has another shape than `x` is an error.
pub fn residual(
    x: &Tensor,
    order: NormOrder,
    norm: &Step,
    sublayer: &Step,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: residual

// ANCHOR: encoder_layer
/// One layer of the encoder: attention, then feed-forward, each with its norm and
/// its shortcut.
///
/// `x` and result `(batch, seq, d_model)`; `attend` is self-attention with its
/// mask and dropout inside. `norms` stand in the order of the sublayers. Each norm
/// and each sublayer runs once, and their errors are passed on.
pub fn encoder_layer(
    x: &Tensor,
    order: NormOrder,
    norms: [&Step; 2],
    attend: &Step,
    feed_forward: &Step,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: encoder_layer

// ANCHOR: decoder_layer
/// One layer of the decoder: self-attention, attention to the encoder's `memory`,
/// feed-forward, each with its norm and its shortcut.
///
/// `y` and result `(batch, seq_t, d_model)`, `memory` `(batch, seq_s, d_model)`,
/// which is handed to `cross_attend` as it is, never normed: `cross_attend(tokens,
/// memory)`. Each norm and each sublayer runs once, and their errors are passed on.
pub fn decoder_layer(
    y: &Tensor,
    memory: &Tensor,
    order: NormOrder,
    norms: [&Step; 3],
    attend: &Step,
    cross_attend: &Cross,
    feed_forward: &Step,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: decoder_layer

// ANCHOR: encode
/// The encoder: the source's tokens become vectors, and those go through every
/// layer, one after the other.
///
/// `source` `(batch, seq_s)` u32 → memory `(batch, seq_s, d_model)`.
/// `embed(source)` gives the vectors, positions included. Each layer is called as
/// `layer(x, keep)`; all get the same keep-mask, u8 `(batch, 1, 1, seq_s)`: 1 where
/// the source has a token, 0 where it has [`PADDING`]. `last_norm`, when there is
/// one, comes after the last layer. Embedding, layers and norm run once each, and
/// their errors are passed on. Without layers, the vectors go straight to the norm.
/// An empty batch is fine, and so are parts that compute in f64: they give f64.
pub fn encode(
    source: &Tensor,
    embed: &Step,
    layers: &[&Cross],
    last_norm: Option<&Step>,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: encode

// ANCHOR: decode
/// The decoder: how probable each token is to follow each token of the target,
/// given those before it and the encoder's memory.
///
/// `target` `(batch, seq_t)` and `source` `(batch, seq_s)` u32, `memory`
/// `(batch, seq_s, d_model)`. `embed(target)` gives vectors
/// `(batch, seq_t, d_model)`. Each layer is called as `layer(y, memory, causal,
/// keep)`, with two keep-masks, u8: `causal` `(seq_t, seq_t)`, where a token sees
/// itself and those before it, and `keep` `(batch, 1, 1, seq_s)`, 0 where the
/// *source* has [`PADDING`]. (The target needs no mask for its padding: it stands
/// at the end, where no token before it looks.) `last_norm`, when there is one,
/// comes after the last layer, and then `generator(y)` gives logits
/// `(batch, seq_t, vocab)`. Result: their log-softmax over the vocabulary, finite
/// for large logits too. Embedding, layers, norm and generator run once each, and
/// their errors are passed on. Without layers, the vectors go straight to the norm.
pub fn decode(
    [target, source]: [&Tensor; 2],
    memory: &Tensor,
    embed: &Step,
    layers: &[&DecoderStep],
    last_norm: Option<&Step>,
    generator: &Step,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: decode

// ANCHOR: label_smoothing
/// Cross-entropy against targets that are not quite sure: each has `1 − smoothing`
/// for the right token and `smoothing` shared out equally over the vocabulary, the
/// right token included (section 5.4).
///
/// `log_probs` `(…, vocab)`, `targets` `(…)` u32, both may be views → a scalar: the
/// mean over the targets that are not `padding`. What does not count does no harm,
/// even where a log-probability is −∞: rows whose target is padding, and at a
/// smoothing of 0 all tokens but the right one. f64 in, f64 out. The gradient
/// reaches `log_probs`, and is 0 where the target is padding. Errors when shapes do
/// not fit, a target is not below `vocab`, `smoothing` is not in [0, 1], or there is
/// nothing but padding.
pub fn label_smoothing(
    log_probs: &Tensor,
    targets: &Tensor,
    smoothing: f64,
    padding: u32,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: label_smoothing

// ANCHOR: learning_rate
/// The paper's schedule: rises with the step during `warmup` steps, then falls with
/// the inverse root of the step (section 5.3).
///
/// d_model^(−1/2) · min(step^(−1/2), step · warmup^(−3/2)), with the precision of
/// f64. Steps count from 1; a step of 0 is treated as 1, and a `warmup` of 0 as no
/// warm-up: the fall alone.
pub fn learning_rate(step: usize, d_model: usize, warmup: usize) -> f64 {
    todo!()
}
// ANCHOR_END: learning_rate

// ANCHOR: training_step
/// One step of training: read, predict, compare, and move the variables.
///
/// `source` `(batch, seq_s)` u32. `target` `(batch, seq)` u32, seq at least 2: a
/// start, the answer, an end, then padding. The model reads all its tokens but the
/// last, and should predict all but the first: `model(source, reads)` gives
/// log-probabilities `(batch, seq − 1, vocab)`, `loss(log_probs, says)` a scalar,
/// f32 or f64. `update` takes the loss's gradients and moves the variables against
/// them. Model, loss and update run once each, and their errors are passed on. The
/// result is the loss before the update. A loss that is NaN or infinite is an
/// error, and then `update` does not run.
pub fn training_step(
    [source, target]: [&Tensor; 2],
    model: &Cross,
    loss: &Cross,
    update: &mut Update,
) -> Result<f64> {
    todo!()
}
// ANCHOR_END: training_step

// ANCHOR: greedy_decode
/// Writes token by token, always the most probable one.
///
/// `source` `(batch, seq_s)` u32. `encode(source)` gives the memory and runs once;
/// `decode(target, memory)` gives log-probabilities `(batch, seq_t, vocab)` for
/// what follows each token of `target` `(batch, seq_t)`. Every target begins with
/// `start`, which is not part of the result and never counts as an end, even when
/// `start` and `end` are the same token. → u32 `(batch, at most max_len)`: writing
/// stops after the step in which the last sequence wrote `end`, or after `max_len`
/// steps; what follows an `end` is `end`. An empty batch gives `(0, 0)`, without a
/// call of `decode`. Errors of `encode` and `decode` are passed on.
pub fn greedy_decode(
    source: &Tensor,
    encode: &Step,
    decode: &Cross,
    [start, end]: [u32; 2],
    max_len: usize,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: greedy_decode

// ANCHOR: rope
/// Turns each pair of numbers by an angle that grows with the position: the dot
/// product of two given vectors then depends on the offset between their positions
/// alone, sign included (RoFormer, 2021).
///
/// `x` and result `(batch, heads, seq, head_dim)`. Numbers `2i` and `2i + 1` of the
/// token at position p = `offset` + row are turned by the angle a = p /
/// 10000^(2i/head_dim), computed in f64: (1, 0) becomes (cos a, sin a). The result
/// has the type of `x`, f64 included, and that type's precision; the gradient
/// reaches `x`. `x` may be a view, and may have no tokens. Errors when `head_dim` is
/// odd, or `x` has another number of dimensions.
pub fn rope(x: &Tensor, offset: usize) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: rope

// ANCHOR: alibi
/// A bias for the scores that grows with the distance, steeper in some heads than
/// in others (Press, Smith, Lewis 2021).
///
/// f32 `(heads, seq_q, seq_k)`, an additive mask: −slope · |distance| in tokens,
/// where head h, counted from 1, has the slope 2^(−8h/heads). The last query
/// stands at the last key, and keys after a query count like those before it.
/// Without heads, queries or keys the mask is empty.
pub fn alibi(
    heads: usize,
    seq_q: usize,
    seq_k: usize,
    device: &Device,
) -> Result<Tensor> {
    todo!()
}
// ANCHOR_END: alibi
