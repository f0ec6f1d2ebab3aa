//! The network: token, position and type vectors, then layers of attention and feed-forward, each followed by its norm.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, VarBuilder, linear};
use multi_head::{MultiHeadAttention, MultiHeadConfig, projection::project};
use std::cell::RefCell;
use transformer::{NormOrder, model::Norm, solution::encoder_layer};

// ANCHOR: config
/// The sizes of a BERT-type encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BertConfig {
    /// How many different tokens there are.
    pub vocab: usize,
    /// The longest sequence: positions are learned, one vector each.
    pub positions: usize,
    /// The dimension of a token's vector.
    pub dim: usize,
    /// The dimension of the vectors inside a feed-forward layer.
    pub d_ff: usize,
    /// Attention heads in each layer.
    pub heads: usize,
    /// How many layers.
    pub layers: usize,
}

impl BertConfig {
    /// all-MiniLM-L6-v2.
    pub const MINI_LM: Self = Self {
        vocab: 30_522,
        positions: 512,
        dim: 384,
        d_ff: 1536,
        heads: 12,
        layers: 6,
    };
}
// ANCHOR_END: config

/// How many kinds of segments a sequence may have; this course uses the first only.
const SEGMENTS: usize = 2;

/// What is added to a variance under the root: much less than in week 5.
const NORM_EPS: f64 = 1e-12;

// ANCHOR: names
/// This course's names of the four projections, and BERT's.
const NAMES: [(&str, &str); 4] = [
    ("attention.q_proj", "attention.self.query"),
    ("attention.k_proj", "attention.self.key"),
    ("attention.v_proj", "attention.self.value"),
    ("attention.out_proj", "attention.output.dense"),
];

/// Finds weights that are stored under BERT's names by this course's.
fn renamed(vb: VarBuilder<'static>) -> VarBuilder<'static> {
    vb.rename_f(|name| {
        NAMES
            .iter()
            .fold(name.to_string(), |name, (ours, berts)| name.replace(ours, berts))
    })
}
// ANCHOR_END: names

/// An encoder of the BERT type (Devlin et al., 2018): week 4's attention, week 5's layers with the norm after.
pub struct Bert {
    config: BertConfig,
    words: Tensor,
    positions: Tensor,
    segments: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Takes its weights from `vb`, under the names that BERT's checkpoints have. Errors when one is missing or has
    /// another shape.
    pub fn new(config: &BertConfig, vb: VarBuilder<'static>) -> Result<Self> {
        let vb = renamed(vb);
        let embeddings = vb.pp("embeddings");
        let table = |rows, name| embeddings.pp(name).get((rows, config.dim), "weight");
        Ok(Self {
            config: *config,
            words: table(config.vocab, "word_embeddings")?,
            positions: table(config.positions, "position_embeddings")?,
            segments: table(SEGMENTS, "token_type_embeddings")?,
            norm: Norm::new(config.dim, NORM_EPS, embeddings.pp("LayerNorm"))?,
            layers: (0..config.layers)
                .map(|at| Layer::new(config, vb.pp("encoder.layer").pp(at)))
                .collect::<Result<_>>()?,
        })
    }

    /// The sizes.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    // ANCHOR: forward
    /// The vectors after the last layer, and what the heads of each layer look at.
    ///
    /// `ids` `(batch, seq)` u32, `mask` `(batch, seq)` u8, 1 for a real token → `(batch, seq, dim)` and, layer by layer,
    /// `(batch, heads, seq, seq)`. Errors when an id is not below `vocab` or `seq` is more than `positions`.
    pub fn forward(
        &self,
        ids: &Tensor,
        mask: &Tensor,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (batch, seq) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?;
        let words = words.reshape((batch, seq, self.config.dim))?;
        let places = self
            .positions
            .narrow(0, 0, seq)?
            .broadcast_add(&self.segments.narrow(0, 0, 1)?)?;
        let mut x = self.norm.forward(&words.broadcast_add(&places)?)?;
        let mask = mask.unsqueeze(1)?.unsqueeze(1)?; // (batch, 1, 1, seq): nobody looks at padding
        let mut maps = Vec::new();
        for layer in &self.layers {
            let map;
            (x, map) = layer.forward(&x, &mask)?;
            maps.extend(map);
        }
        Ok((x, maps))
    }
    // ANCHOR_END: forward
}

/// Self-attention and feed-forward.
struct Layer {
    attention: MultiHeadAttention,
    norms: [Norm; 2],
    wide: Linear,
    narrow: Linear,
}

impl Layer {
    fn new(config: &BertConfig, vb: VarBuilder) -> Result<Self> {
        let BertConfig { dim, d_ff, heads, .. } = *config;
        let norm = |name| Norm::new(dim, NORM_EPS, vb.pp(name).pp("LayerNorm"));
        Ok(Self {
            attention: MultiHeadAttention::new(
                &MultiHeadConfig::new(dim, heads),
                vb.pp("attention"),
            )?,
            norms: [norm("attention.output")?, norm("output")?],
            wide: linear(dim, d_ff, vb.pp("intermediate.dense"))?,
            narrow: linear(d_ff, dim, vb.pp("output.dense"))?,
        })
    }

    // ANCHOR: layer
    /// `x` `(batch, seq, dim)` → the same shape, and the map `(batch, heads, seq, seq)`.
    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let map = RefCell::new(None);
        let attend = |x: &Tensor| {
            let (out, weights) =
                self.attention.forward(x, x, x, Some(mask), true, false)?;
            map.replace(weights);
            Ok(out)
        };
        let feed_forward =
            |x: &Tensor| project(&self.narrow, &project(&self.wide, x)?.gelu_erf()?);
        let [norm1, norm2] =
            self.norms.each_ref().map(|norm| move |x: &Tensor| norm.forward(x));
        let x = encoder_layer(
            x,
            NormOrder::Post,
            [&norm1, &norm2],
            &attend,
            &feed_forward,
        )?;
        Ok((x, map.into_inner()))
    }
    // ANCHOR_END: layer
}
