//! The layers with their weights. What they compute with them, the [`Parts`] say.

use super::{attention::Attention, config::TransformerConfig, parts::Parts, run::Run};
use crate::{order::Step, solution::layer_norm};
use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use multi_head::MultiHeadConfig;

/// What is added to a variance under the root, as in PyTorch.
pub const NORM_EPS: f64 = 1e-5;

// ANCHOR: embedding
/// Tokens as vectors, with their positions.
pub(super) struct Embedding {
    table: Tensor,
}

impl Embedding {
    pub(super) fn new(config: &TransformerConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { table: vb.get((config.vocab, config.d_model), "weight")? })
    }

    pub(super) fn forward(&self, run: &Run, tokens: &Tensor) -> Result<Tensor> {
        let (batch, seq) = tokens.dims2()?;
        let (vocab, d_model) = self.table.dims2()?;
        let tokens = tokens.flatten_all()?;
        below(&tokens, vocab)?;
        let rows =
            self.table.index_select(&tokens, 0)?.reshape((batch, seq, d_model))?;
        let rows = (rows * (d_model as f64).sqrt())?;
        let positions = (run.parts.positional_encoding)(seq, d_model, tokens.device())?;
        run.drop(rows.broadcast_add(&positions.to_dtype(rows.dtype())?)?)
    }
}
// ANCHOR_END: embedding

/// An error unless all `tokens` are below `vocab`.
fn below(tokens: &Tensor, vocab: usize) -> Result<()> {
    if tokens.elem_count() == 0 {
        return Ok(());
    }
    let largest = tokens.max(0)?.to_scalar::<u32>()? as usize;
    if largest >= vocab {
        bail!("tokens: expected numbers below vocab = {vocab}; got {largest}");
    }
    Ok(())
}

/// A layer norm's weights, `(dim)` each.
pub struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Norm {
    /// `weight` and `bias` from `vb`; new ones start at 1 and 0. `eps` is added to a variance under the root. Errors when
    /// a weight is missing or has another shape.
    pub fn new(dim: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints(dim, "weight", Init::Const(1.))?;
        Ok(Self { weight, bias: vb.get_with_hints(dim, "bias", Init::Const(0.))?, eps })
    }

    /// `x` `(…, dim)`, each token normed by [`layer_norm`].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }

    /// The same by the run's own function.
    pub(super) fn forward_in(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        (run.parts.layer_norm)(x, &self.weight, &self.bias, self.eps)
    }
}

/// A linear layer's weights.
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn new(from: usize, to: usize, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get((to, from), "weight")?;
        Ok(Self { weight, bias: vb.get_with_hints(to, "bias", Init::Const(0.))? })
    }

    pub(super) fn forward(&self, run: &Run, x: &Tensor, relu: bool) -> Result<Tensor> {
        (run.parts.linear)(x, &self.weight, &self.bias, relu)
    }
}

// ANCHOR: feed_forward
/// Two linear layers with a ReLU between them, token by token (section 3.3).
struct FeedForward {
    wide: Linear,
    narrow: Linear,
}

impl FeedForward {
    fn new(config: &TransformerConfig, vb: VarBuilder) -> Result<Self> {
        let wide = Linear::new(config.d_model, config.d_ff, vb.pp("wide"))?;
        let narrow = Linear::new(config.d_ff, config.d_model, vb.pp("narrow"))?;
        Ok(Self { wide, narrow })
    }

    fn forward(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        let inner = self.wide.forward(run, x, true)?; // (batch, seq, d_ff)
        run.drop(self.narrow.forward(run, &inner, false)?)
    }
}
// ANCHOR_END: feed_forward

fn attention(
    config: &TransformerConfig,
    parts: &Parts,
    vb: VarBuilder,
) -> Result<Box<dyn Attention>> {
    let sizes = MultiHeadConfig {
        dropout: config.dropout,
        ..MultiHeadConfig::new(config.d_model, config.heads)
    };
    (parts.attention)(&sizes, vb)
}

/// Self-attention and feed-forward.
pub(super) struct EncoderLayer {
    attention: Box<dyn Attention>,
    feed_forward: FeedForward,
    norms: [Norm; 2],
}

impl EncoderLayer {
    pub(super) fn new(
        config: &TransformerConfig,
        parts: &Parts,
        vb: VarBuilder,
    ) -> Result<Self> {
        let norm =
            |at: usize| Norm::new(config.d_model, NORM_EPS, vb.pp(format!("norm{at}")));
        Ok(Self {
            attention: attention(config, parts, vb.pp("attention"))?,
            feed_forward: FeedForward::new(config, vb.pp("feed_forward"))?,
            norms: [norm(1)?, norm(2)?],
        })
    }

    // ANCHOR: encoder_layer
    pub(super) fn forward(
        &self,
        run: &Run,
        x: &Tensor,
        mask: &Tensor,
    ) -> Result<Tensor> {
        let [norm1, norm2] =
            self.norms.each_ref().map(|norm| move |x: &Tensor| norm.forward_in(run, x));
        let attend = |x: &Tensor| {
            run.attend(&*self.attention, [x, x], mask, |maps| &mut maps.encoder)
        };
        let feed_forward = |x: &Tensor| self.feed_forward.forward(run, x);
        let order = run.config.order;
        let wire = run.parts.encoder_layer;
        wire(x, order, [&norm1, &norm2], &attend, &feed_forward)
    }
    // ANCHOR_END: encoder_layer
}

/// Self-attention, attention to the memory, and feed-forward.
pub(super) struct DecoderLayer {
    attention: Box<dyn Attention>,
    cross: Box<dyn Attention>,
    feed_forward: FeedForward,
    norms: [Norm; 3],
}

impl DecoderLayer {
    pub(super) fn new(
        config: &TransformerConfig,
        parts: &Parts,
        vb: VarBuilder,
    ) -> Result<Self> {
        let norm =
            |at: usize| Norm::new(config.d_model, NORM_EPS, vb.pp(format!("norm{at}")));
        Ok(Self {
            attention: attention(config, parts, vb.pp("attention"))?,
            cross: attention(config, parts, vb.pp("cross"))?,
            feed_forward: FeedForward::new(config, vb.pp("feed_forward"))?,
            norms: [norm(1)?, norm(2)?, norm(3)?],
        })
    }

    // ANCHOR: decoder_layer
    pub(super) fn forward(
        &self,
        run: &Run,
        y: &Tensor,
        memory: &Tensor,
        [causal, keep]: [&Tensor; 2],
    ) -> Result<Tensor> {
        let norms =
            self.norms.each_ref().map(|norm| move |y: &Tensor| norm.forward_in(run, y));
        let norms = norms.each_ref().map(|norm| norm as &Step);
        let attend = |y: &Tensor| {
            run.attend(&*self.attention, [y, y], causal, |maps| &mut maps.decoder)
        };
        let cross = |y: &Tensor, memory: &Tensor| {
            run.attend(&*self.cross, [y, memory], keep, |maps| &mut maps.cross)
        };
        let feed_forward = |y: &Tensor| self.feed_forward.forward(run, y);
        let order = run.config.order;
        let wire = run.parts.decoder_layer;
        wire(y, memory, order, norms, &attend, &cross, &feed_forward)
    }
    // ANCHOR_END: decoder_layer
}
