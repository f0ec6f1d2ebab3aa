//! The encoder-decoder Transformer, built from [`Parts`].

use crate::{
    Attention, Parts, TransformerConfig,
    order::{NormOrder, Step},
};
use candle_core::{D, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder, ops::log_softmax};
use masking::{Align, solution::causal_mask};
use multi_head::{MultiHeadConfig, SeedStream, solution::dropout};
use std::cell::RefCell;

/// Fills up short sequences.
pub const PADDING: u32 = 0;

/// What is added to a variance under the root, as in PyTorch.
pub const NORM_EPS: f64 = 1e-5;

/// What the heads of every layer look at: `(batch, heads, seq_q, seq_k)` each.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// The encoder's self-attention, layer by layer.
    pub encoder: Vec<Tensor>,
    /// The decoder's self-attention.
    pub decoder: Vec<Tensor>,
    /// The decoder's attention to the encoder's memory.
    pub cross: Vec<Tensor>,
}

/// An encoder-decoder Transformer ("Attention Is All You Need", section 3).
pub struct Transformer {
    config: TransformerConfig,
    parts: Parts,
    source: Embedding,
    target: Embedding,
    encoder: Vec<EncoderLayer>,
    decoder: Vec<DecoderLayer>,
    /// The last norm of each stack; only [`NormOrder::Pre`] needs it.
    norms: Option<[Norm; 2]>,
    generator: Linear,
    seeds: SeedStream,
}

impl Transformer {
    /// Takes its weights from `vb`; `parts` says which functions it computes with. Errors when the config is not valid
    /// or a weight is missing or has another shape.
    pub fn new(config: &TransformerConfig, parts: &Parts, vb: VarBuilder) -> Result<Self> {
        config.validate()?;
        let (encoder, decoder) = (vb.pp("encoder"), vb.pp("decoder"));
        let norms = match config.order {
            NormOrder::Pre => Some([
                Norm::new(config.d_model, encoder.pp("norm"))?,
                Norm::new(config.d_model, decoder.pp("norm"))?,
            ]),
            NormOrder::Post => None,
        };
        Ok(Self {
            config: *config,
            parts: *parts,
            source: Embedding::new(config, vb.pp("source_embedding"))?,
            target: Embedding::new(config, vb.pp("target_embedding"))?,
            encoder: (0..config.layers)
                .map(|at| EncoderLayer::new(config, parts, encoder.pp(at)))
                .collect::<Result<_>>()?,
            decoder: (0..config.layers)
                .map(|at| DecoderLayer::new(config, parts, decoder.pp(at)))
                .collect::<Result<_>>()?,
            norms,
            generator: Linear::new(config.d_model, config.vocab, vb.pp("generator"))?,
            seeds: SeedStream::named(&vb.prefix()),
        })
    }

    /// The sizes.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// The functions it computes with.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What the encoder makes of the source: `source` `(batch, seq_s)` u32 → memory `(batch, seq_s, d_model)`.
    pub fn encode(&self, source: &Tensor, train: bool) -> Result<Tensor> {
        self.encode_watched(source, train, None)
    }

    /// The log-probabilities of what follows each token of `target`, which sees the tokens before it and the memory of
    /// the source tokens that are not padding.
    ///
    /// `target` `(batch, seq_t)` and `source` `(batch, seq_s)` u32, `memory` from [`encode`](Self::encode) →
    /// `(batch, seq_t, vocab)`.
    pub fn decode(
        &self,
        target: &Tensor,
        memory: &Tensor,
        source: &Tensor,
        train: bool,
    ) -> Result<Tensor> {
        self.decode_watched(target, memory, source, train, None)
    }

    /// Both halves: log-probabilities `(batch, seq_t, vocab)` of what follows each token of `target`.
    pub fn forward(&self, source: &Tensor, target: &Tensor, train: bool) -> Result<Tensor> {
        self.decode(target, &self.encode(source, train)?, source, train)
    }

    /// What all heads look at, outside training.
    pub fn maps(&self, source: &Tensor, target: &Tensor) -> Result<Maps> {
        let maps = RefCell::default();
        let memory = self.encode_watched(source, false, Some(&maps))?;
        self.decode_watched(target, &memory, source, false, Some(&maps))?;
        Ok(maps.into_inner())
    }

    fn encode_watched(&self, source: &Tensor, train: bool, maps: Watch) -> Result<Tensor> {
        let run = self.run(train, maps);
        let mask = real(source)?;
        let mut x = self.source.forward(&run, source)?;
        for layer in &self.encoder {
            x = layer.forward(&run, &x, &mask)?;
        }
        match &self.norms {
            Some([norm, _]) => norm.forward(&run, &x),
            None => Ok(x),
        }
    }

    fn decode_watched(
        &self,
        target: &Tensor,
        memory: &Tensor,
        source: &Tensor,
        train: bool,
        maps: Watch,
    ) -> Result<Tensor> {
        let run = self.run(train, maps);
        let (_, seq) = target.dims2()?;
        // Padding stands at the end of a target, so the causal mask hides it from all that counts.
        let causal = causal_mask(seq, seq, Align::TopLeft, target.device())?;
        let mask = real(source)?;
        let mut y = self.target.forward(&run, target)?;
        for layer in &self.decoder {
            y = layer.forward(&run, &y, memory, &causal, &mask)?;
        }
        if let Some([_, norm]) = &self.norms {
            y = norm.forward(&run, &y)?;
        }
        log_softmax(&self.generator.forward(&run, &y, false)?, D::Minus1)
    }

    fn run<'a>(&'a self, train: bool, maps: Watch<'a>) -> Run<'a> {
        Run { config: &self.config, parts: &self.parts, seeds: &self.seeds, train, maps }
    }
}

/// Where maps are collected, when somebody looks.
type Watch<'a> = Option<&'a RefCell<Maps>>;

/// What every layer needs to know of one pass.
struct Run<'a> {
    config: &'a TransformerConfig,
    parts: &'a Parts,
    seeds: &'a SeedStream,
    train: bool,
    maps: Watch<'a>,
}

impl Run<'_> {
    fn drop(&self, x: Tensor) -> Result<Tensor> {
        match self.train && self.config.dropout > 0. {
            true => dropout(&x, self.config.dropout, self.seeds.next_seed()),
            false => Ok(x),
        }
    }

    /// Attention, then dropout; the map goes to where `place` says.
    fn attend(
        &self,
        attention: &dyn Attention,
        [query, memory]: [&Tensor; 2],
        mask: &Tensor,
        place: fn(&mut Maps) -> &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        let watched = self.maps.is_some();
        let (out, weights) =
            attention.forward(query, memory, memory, Some(mask), watched, self.train)?;
        if let (Some(maps), Some(weights)) = (self.maps, weights) {
            place(&mut maps.borrow_mut()).push(weights);
        }
        self.drop(out)
    }
}

/// Tokens as vectors, with their positions.
struct Embedding {
    table: Tensor,
}

impl Embedding {
    fn new(config: &TransformerConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { table: vb.get((config.vocab, config.d_model), "weight")? })
    }

    fn forward(&self, run: &Run, tokens: &Tensor) -> Result<Tensor> {
        let (batch, seq) = tokens.dims2()?;
        let (vocab, d_model) = self.table.dims2()?;
        let largest = match tokens.elem_count() {
            0 => 0,
            _ => tokens.flatten_all()?.max(0)?.to_scalar::<u32>()? as usize,
        };
        if largest >= vocab {
            bail!("tokens: expected numbers below vocab = {vocab}; got {largest}");
        }
        let rows = self.table.index_select(&tokens.flatten_all()?, 0)?;
        let rows = (rows.reshape((batch, seq, d_model))? * (d_model as f64).sqrt())?;
        let positions = (run.parts.positional_encoding)(seq, d_model, tokens.device())?;
        run.drop(rows.broadcast_add(&positions.to_dtype(rows.dtype())?)?)
    }
}

/// A layer norm's weights.
struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(dim: usize, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints(dim, "weight", Init::Const(1.))?;
        Ok(Self { weight, bias: vb.get_with_hints(dim, "bias", Init::Const(0.))? })
    }

    fn forward(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        (run.parts.layer_norm)(x, &self.weight, &self.bias, NORM_EPS)
    }
}

/// A linear layer's weights.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(from: usize, to: usize, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get((to, from), "weight")?;
        Ok(Self { weight, bias: vb.get_with_hints(to, "bias", Init::Const(0.))? })
    }

    fn forward(&self, run: &Run, x: &Tensor, relu: bool) -> Result<Tensor> {
        (run.parts.linear)(x, &self.weight, &self.bias, relu)
    }
}

/// Two linear layers with a ReLU between them, token by token (section 3.3).
struct FeedForward {
    wide: Linear,
    narrow: Linear,
}

impl FeedForward {
    fn new(config: &TransformerConfig, vb: VarBuilder) -> Result<Self> {
        let wide = Linear::new(config.d_model, config.d_ff, vb.pp("wide"))?;
        Ok(Self { wide, narrow: Linear::new(config.d_ff, config.d_model, vb.pp("narrow"))? })
    }

    fn forward(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        let inner = self.wide.forward(run, x, true)?; // (batch, seq, d_ff)
        run.drop(self.narrow.forward(run, &inner, false)?)
    }
}

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
struct EncoderLayer {
    attention: Box<dyn Attention>,
    feed_forward: FeedForward,
    norms: [Norm; 2],
}

impl EncoderLayer {
    fn new(config: &TransformerConfig, parts: &Parts, vb: VarBuilder) -> Result<Self> {
        let norm = |at: usize| Norm::new(config.d_model, vb.pp(format!("norm{at}")));
        Ok(Self {
            attention: attention(config, parts, vb.pp("attention"))?,
            feed_forward: FeedForward::new(config, vb.pp("feed_forward"))?,
            norms: [norm(1)?, norm(2)?],
        })
    }

    fn forward(&self, run: &Run, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let [norm1, norm2] =
            self.norms.each_ref().map(|norm| move |x: &Tensor| norm.forward(run, x));
        let attend =
            |x: &Tensor| run.attend(&*self.attention, [x, x], mask, |maps| &mut maps.encoder);
        let feed_forward = |x: &Tensor| self.feed_forward.forward(run, x);
        (run.parts.encoder_layer)(x, run.config.order, [&norm1, &norm2], &attend, &feed_forward)
    }
}

/// Self-attention, attention to the memory, and feed-forward.
struct DecoderLayer {
    attention: Box<dyn Attention>,
    cross: Box<dyn Attention>,
    feed_forward: FeedForward,
    norms: [Norm; 3],
}

impl DecoderLayer {
    fn new(config: &TransformerConfig, parts: &Parts, vb: VarBuilder) -> Result<Self> {
        let norm = |at: usize| Norm::new(config.d_model, vb.pp(format!("norm{at}")));
        Ok(Self {
            attention: attention(config, parts, vb.pp("attention"))?,
            cross: attention(config, parts, vb.pp("cross"))?,
            feed_forward: FeedForward::new(config, vb.pp("feed_forward"))?,
            norms: [norm(1)?, norm(2)?, norm(3)?],
        })
    }

    fn forward(
        &self,
        run: &Run,
        y: &Tensor,
        memory: &Tensor,
        causal: &Tensor,
        mask: &Tensor,
    ) -> Result<Tensor> {
        let norms = self.norms.each_ref().map(|norm| move |y: &Tensor| norm.forward(run, y));
        let norms = norms.each_ref().map(|norm| norm as &Step);
        let attend =
            |y: &Tensor| run.attend(&*self.attention, [y, y], causal, |maps| &mut maps.decoder);
        let cross = |y: &Tensor, memory: &Tensor| {
            run.attend(&*self.cross, [y, memory], mask, |maps| &mut maps.cross)
        };
        let feed_forward = |y: &Tensor| self.feed_forward.forward(run, y);
        (run.parts.decoder_layer)(
            y,
            memory,
            run.config.order,
            norms,
            &attend,
            &cross,
            &feed_forward,
        )
    }
}

/// The keep-mask of the tokens that are not padding: `(batch, seq)` → `(batch, 1, 1, seq)`.
fn real(tokens: &Tensor) -> Result<Tensor> {
    tokens.ne(PADDING)?.unsqueeze(1)?.unsqueeze(1)
}
