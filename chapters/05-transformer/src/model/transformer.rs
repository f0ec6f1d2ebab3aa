//! The encoder–decoder Transformer.

use super::{
    config::TransformerConfig,
    layers::{DecoderLayer, Embedding, EncoderLayer, Linear, NORM_EPS, Norm},
    parts::Parts,
    run::{Maps, Run},
};
use crate::order::{Cross, DecoderStep, NormOrder, Step};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use multi_head::SeedStream;
use std::cell::RefCell;

/// An encoder–decoder Transformer ("Attention Is All You Need", section 3).
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
    pub fn new(
        config: &TransformerConfig,
        parts: &Parts,
        vb: VarBuilder,
    ) -> Result<Self> {
        config.validate()?;
        let (encoder, decoder) = (vb.pp("encoder"), vb.pp("decoder"));
        let norms = match config.order {
            NormOrder::Pre => Some([
                Norm::new(config.d_model, NORM_EPS, encoder.pp("norm"))?,
                Norm::new(config.d_model, NORM_EPS, decoder.pp("norm"))?,
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
    ///
    /// In training (`train`), dropout draws new numbers at each call, the same ones in each run of a program.
    pub fn encode(&self, source: &Tensor, train: bool) -> Result<Tensor> {
        self.encoded(&self.run(train.then_some(&self.seeds)), source)
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
        self.decoded(&self.run(train.then_some(&self.seeds)), [target, source], memory)
    }

    /// Both halves: log-probabilities `(batch, seq_t, vocab)` of what follows each token of `target`.
    pub fn forward(
        &self,
        source: &Tensor,
        target: &Tensor,
        train: bool,
    ) -> Result<Tensor> {
        self.pass(&self.run(train.then_some(&self.seeds)), source, target)
    }

    /// As [`forward`](Self::forward) in training, with the dropout of `seed`: one seed drops the same numbers each time.
    ///
    /// Not for two threads at once: a layer keeps its seed until it draws. Give each thread a model of its own, over the
    /// same variables.
    pub fn forward_seeded(
        &self,
        source: &Tensor,
        target: &Tensor,
        seed: u64,
    ) -> Result<Tensor> {
        self.pass(&self.run(Some(&SeedStream::new(seed))), source, target)
    }

    /// What all heads look at, outside training.
    pub fn maps(&self, source: &Tensor, target: &Tensor) -> Result<Maps> {
        let maps = RefCell::default();
        self.pass(&Run { maps: Some(&maps), ..self.run(None) }, source, target)?;
        Ok(maps.into_inner())
    }

    fn pass(&self, run: &Run, source: &Tensor, target: &Tensor) -> Result<Tensor> {
        self.decoded(run, [target, source], &self.encoded(run, source)?)
    }

    // ANCHOR: encoded
    fn encoded(&self, run: &Run, source: &Tensor) -> Result<Tensor> {
        let embed = |source: &Tensor| self.source.forward(run, source);
        let layers: Vec<_> = self
            .encoder
            .iter()
            .map(|layer| move |x: &Tensor, keep: &Tensor| layer.forward(run, x, keep))
            .collect();
        let layers: Vec<&Cross> = layers.iter().map(|layer| layer as &Cross).collect();
        let norm = self
            .norms
            .as_ref()
            .map(|[norm, _]| move |x: &Tensor| norm.forward_in(run, x));
        let norm = norm.as_ref().map(|norm| norm as &Step);
        (self.parts.encode)(source, &embed, &layers, norm)
    }
    // ANCHOR_END: encoded

    // ANCHOR: decoded
    fn decoded(
        &self,
        run: &Run,
        tokens: [&Tensor; 2],
        memory: &Tensor,
    ) -> Result<Tensor> {
        let embed = |target: &Tensor| self.target.forward(run, target);
        let layers = self.decoder.iter().map(|layer| {
            move |y: &Tensor, memory: &Tensor, causal: &Tensor, keep: &Tensor| {
                layer.forward(run, y, memory, [causal, keep])
            }
        });
        let layers: Vec<_> = layers.collect();
        let layers: Vec<_> = layers.iter().map(|layer| layer as &DecoderStep).collect();
        let norm = self
            .norms
            .as_ref()
            .map(|[_, norm]| move |y: &Tensor| norm.forward_in(run, y));
        let norm = norm.as_ref().map(|norm| norm as &Step);
        let generator = |y: &Tensor| self.generator.forward(run, y, false);
        (self.parts.decode)(tokens, memory, &embed, &layers, norm, &generator)
    }
    // ANCHOR_END: decoded

    fn run<'a>(&'a self, seeds: Option<&'a SeedStream>) -> Run<'a> {
        Run { config: &self.config, parts: &self.parts, seeds, maps: None }
    }
}
