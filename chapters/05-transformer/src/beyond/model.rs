//! A small language model whose positions can be exchanged.

use super::language::VOCAB;
use crate::{
    model::{NORM_EPS, Norm},
    order::{NormOrder, Step},
    solution::{alibi, encoder_layer, positional_encoding, rope},
};
use candle_core::{D, Device, Result, Tensor};
use candle_nn::{Linear, VarBuilder, linear, ops::log_softmax};
use dot_products::solution::{scores, weighted_average};
use masking::{
    Align,
    solution::{causal_mask, masked_softmax},
};
use multi_head::{
    projection::project,
    solution::{combine_heads, split_heads},
};
use std::fmt;

const D_MODEL: usize = 32;
const D_FF: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 2;

/// How a model is told where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Added to the token's vector: [`positional_encoding`].
    Sines,
    /// Queries and keys are turned: [`rope`].
    Rope,
    /// Subtracted from the scores: [`alibi`].
    Alibi,
    /// Not at all: the causal mask alone tells the model anything about order.
    None,
}

impl Positions {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sines, Self::Rope, Self::Alibi, Self::None];
}

impl fmt::Display for Positions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Sines => "sines",
            Self::Rope => "RoPE",
            Self::Alibi => "ALiBi",
            Self::None => "none",
        })
    }
}

/// A language model: pre-norm layers of causal attention and feed-forward.
pub struct Reader {
    positions: Positions,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    generator: Linear,
}

struct Layer {
    norms: [Norm; 2],
    projections: [Linear; 4],
    feed_forward: [Linear; 2],
}

impl Reader {
    /// Takes its weights from `vb`. Errors when one is missing or has another shape.
    pub fn new(positions: Positions, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            positions,
            embedding: vb.get((VOCAB, D_MODEL), "embedding.weight")?,
            layers: (0..LAYERS)
                .map(|at| Layer::new(vb.pp(at)))
                .collect::<Result<_>>()?,
            norm: Norm::new(D_MODEL, NORM_EPS, vb.pp("norm"))?,
            generator: linear(D_MODEL, VOCAB, vb.pp("generator"))?,
        })
    }

    /// `tokens` `(batch, seq)` u32 → the log-probabilities of what follows each: `(batch, seq, VOCAB)`. In each layer a
    /// token sees itself and those before it, with a `reach` only the latest `reach` of them.
    pub fn forward(&self, tokens: &Tensor, reach: Option<usize>) -> Result<Tensor> {
        let (batch, seq) = tokens.dims2()?;
        let rows = self.embedding.index_select(&tokens.flatten_all()?, 0)?;
        let mut x = (rows.reshape((batch, seq, D_MODEL))? * (D_MODEL as f64).sqrt())?;
        if self.positions == Positions::Sines {
            x = x.broadcast_add(&positional_encoding(seq, D_MODEL, x.device())?)?;
        }
        let causal = causal_mask(seq, seq, Align::TopLeft, x.device())?;
        let mask = match reach {
            Some(reach) => (causal * latest(seq, reach, x.device())?)?,
            None => causal,
        };
        for layer in &self.layers {
            let attend = |x: &Tensor| layer.attend(x, &mask, self.positions);
            let norms = layer.norms.each_ref().map(|norm| |x: &Tensor| norm.forward(x));
            let norms = [&norms[0] as &Step, &norms[1]];
            x = encoder_layer(&x, NormOrder::Pre, norms, &attend, &|x| layer.feed(x))?;
        }
        log_softmax(&project(&self.generator, &self.norm.forward(&x)?)?, D::Minus1)
    }
}

/// A keep-mask `(seq, seq)` that hides the keys from `reach` tokens before the query on.
fn latest(seq: usize, reach: usize, device: &Device) -> Result<Tensor> {
    let keep = |at: usize| u8::from(at % seq + reach > at / seq);
    Tensor::from_vec((0..seq * seq).map(keep).collect(), (seq, seq), device)
}

impl Layer {
    fn new(vb: VarBuilder) -> Result<Self> {
        let square = |name| linear(D_MODEL, D_MODEL, vb.pp(name));
        Ok(Self {
            norms: [
                Norm::new(D_MODEL, NORM_EPS, vb.pp("norm1"))?,
                Norm::new(D_MODEL, NORM_EPS, vb.pp("norm2"))?,
            ],
            projections: [
                square("q_proj")?,
                square("k_proj")?,
                square("v_proj")?,
                square("out_proj")?,
            ],
            feed_forward: [
                linear(D_MODEL, D_FF, vb.pp("wide"))?,
                linear(D_FF, D_MODEL, vb.pp("narrow"))?,
            ],
        })
    }

    // ANCHOR: attend
    /// Week 4's attention, with positions where RoPE and ALiBi have them.
    fn attend(
        &self,
        x: &Tensor,
        mask: &Tensor,
        positions: Positions,
    ) -> Result<Tensor> {
        let [q_proj, k_proj, v_proj, out_proj] = &self.projections;
        let mut query = split_heads(&project(q_proj, x)?, HEADS)?;
        let mut key = split_heads(&project(k_proj, x)?, HEADS)?;
        let value = split_heads(&project(v_proj, x)?, HEADS)?;
        if positions == Positions::Rope {
            (query, key) = (rope(&query, 0)?, rope(&key, 0)?);
        }
        let mut logits = (scores(&query, &key)? / ((D_MODEL / HEADS) as f64).sqrt())?;
        if positions == Positions::Alibi {
            let seq = x.dim(1)?;
            logits = logits.broadcast_add(&alibi(HEADS, seq, seq, x.device())?)?;
        }
        let weights = masked_softmax(&logits, Some(mask))?;
        project(out_proj, &combine_heads(&weighted_average(&weights, &value)?)?)
    }
    // ANCHOR_END: attend

    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        let [wide, narrow] = &self.feed_forward;
        project(narrow, &project(wide, x)?.relu()?)
    }
}
