//! A model of attention alone: no feed-forward, no norms, no biases.

use super::data::{SEQ, VOCAB};
use crate::solution::ablate_head;
use candle_core::{Result, Tensor, bail};
use candle_nn::{Linear, VarBuilder, linear_no_bias};
use dot_products::solution::{scores, weighted_average};
use masking::{
    Align,
    solution::{causal_mask, masked_softmax},
};
use multi_head::{
    projection::project,
    solution::{combine_heads, split_heads},
};

/// The dimension of a token's vector.
pub const D_MODEL: usize = 64;
/// The heads of each layer.
pub const HEADS: usize = 2;

/// What a pass leaves behind.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Unnormalised log-probabilities of the token after each one: `(batch, seq, VOCAB)`.
    pub logits: Tensor,
    /// What each layer's heads look at: `(batch, HEADS, seq, seq)` each.
    pub maps: Vec<Tensor>,
    /// What each layer's heads put out: `(batch, HEADS, seq, D_MODEL / HEADS)` each.
    pub outputs: Vec<Tensor>,
}

/// A head of the model: layer and head, both counted from 0.
pub type Head = (usize, usize);

/// A head that is switched off.
#[derive(Clone, Debug)]
pub struct Ablation {
    /// Which one.
    pub head: Head,
    /// What it puts out instead: `(D_MODEL / HEADS)`, or zeros.
    pub instead: Option<Tensor>,
}

/// One or two layers of causal attention between an embedding and its way back.
#[derive(Debug)]
pub struct InductionModel {
    embedding: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    unembedding: Linear,
}

#[derive(Debug)]
struct Layer {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
}

impl InductionModel {
    /// Takes its weights from `vb`. Errors when one is missing or has another shape.
    pub fn new(layers: usize, vb: VarBuilder) -> Result<Self> {
        let layer = |at: usize| -> Result<Layer> {
            let vb = vb.pp("layers").pp(at);
            let linear = |name| linear_no_bias(D_MODEL, D_MODEL, vb.pp(name));
            Ok(Layer {
                q_proj: linear("q_proj")?,
                k_proj: linear("k_proj")?,
                v_proj: linear("v_proj")?,
                out_proj: linear("out_proj")?,
            })
        };
        Ok(Self {
            embedding: vb.get((VOCAB, D_MODEL), "embedding.weight")?,
            positions: vb.get((SEQ, D_MODEL), "positions.weight")?,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            unembedding: linear_no_bias(D_MODEL, VOCAB, vb.pp("unembedding"))?,
        })
    }

    /// How many layers it has.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Every head, layer by layer.
    pub fn heads(&self) -> Vec<Head> {
        (0..self.layers())
            .flat_map(|layer| (0..HEADS).map(move |head| (layer, head)))
            .collect()
    }

    /// What follows each token of `tokens` `(batch, seq)`, u32, when the heads in `ablated` are switched off.
    ///
    /// Positions are added to what queries and keys are made of, and not to what is passed on: a head may look at a
    /// place, but only tokens travel. Errors when `tokens` is longer than [`SEQ`], or an ablated head is none.
    pub fn forward(&self, tokens: &Tensor, ablated: &[Ablation]) -> Result<Pass> {
        let (batch, seq) = tokens.dims2()?;
        if seq > SEQ {
            bail!("tokens: expected at most {SEQ} a sequence; got {seq}");
        }
        if let Some(other) = ablated.iter().find(|one| one.head.0 >= self.layers()) {
            bail!(
                "ablated: expected a layer below {}; got {}",
                self.layers(),
                other.head.0
            );
        }
        // ANCHOR: forward
        let x = self.embedding.index_select(&tokens.flatten_all()?, 0)?;
        // Twice as loud: that halves the training.
        let mut x = (x.reshape((batch, seq, D_MODEL))? * 2.)?;
        let positions = self.positions.narrow(0, 0, seq)?;
        let mask = causal_mask(seq, seq, Align::TopLeft, tokens.device())?;
        let (mut maps, mut outputs) = (Vec::new(), Vec::new());
        for (at, layer) in self.layers.iter().enumerate() {
            let placed = x.broadcast_add(&positions)?;
            let query = split_heads(&project(&layer.q_proj, &placed)?, HEADS)?;
            let key = split_heads(&project(&layer.k_proj, &placed)?, HEADS)?;
            let value = split_heads(&project(&layer.v_proj, &x)?, HEADS)?;
            let scaled = (scores(&query, &key)? / ((D_MODEL / HEADS) as f64).sqrt())?;
            let weights = masked_softmax(&scaled, Some(&mask))?;
            let mut heads = weighted_average(&weights, &value)?;
            for Ablation { head, instead } in
                ablated.iter().filter(|one| one.head.0 == at)
            {
                heads = ablate_head(&heads, head.1, instead.as_ref())?;
            }
            x = (x + project(&layer.out_proj, &combine_heads(&heads)?)?)?;
            maps.push(weights);
            outputs.push(heads);
        }
        let logits = project(&self.unembedding, &x)?;
        // ANCHOR_END: forward
        Ok(Pass { logits, maps, outputs })
    }
}
