//! all-MiniLM-L6-v2, a small English encoder that others trained, in this course's own attention and layers.
//!
//! `cargo study fetch minilm` gets its weights. What the model is: <https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2>.

mod ablate;
mod bert;
mod encoded;
mod files;
mod tokens;

pub use bert::{Bert, BertConfig};
pub use encoded::Encoded;
pub use files::home;

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::VarBuilder;
use files::{VOCABULARY, WEIGHTS, damaged};
use std::{collections::HashMap, path::Path, sync::Arc};
use tokens::{Split, Tokens};

/// A pretrained encoder with its tokenizer: 6 layers of 12 heads, 384 numbers per token.
#[derive(Clone)]
pub struct MiniLm {
    tokens: Arc<Tokens>,
    /// By BERT's names.
    weights: HashMap<String, Tensor>,
    bert: Arc<Bert>,
}

impl MiniLm {
    /// Loads `model.safetensors` and `vocab.txt` from `folder`.
    ///
    /// Errors when a file is missing, damaged, or of another model, and says how to get the right one.
    pub fn load(folder: &Path) -> Result<Self> {
        let config = BertConfig::MINI_LM;
        let (weights, vocabulary) =
            (files::find(folder, WEIGHTS)?, files::find(folder, VOCABULARY)?);
        let tokens = Tokens::read(&vocabulary, config.vocab)?;
        let loaded = candle_core::safetensors::load(&weights, &Device::Cpu)
            .and_then(|tensors| Ok((bert(&config, &tensors)?, tensors)));
        let (bert, weights) = loaded.map_err(|error| damaged(&weights, error))?;
        Ok(Self { tokens: Arc::new(tokens), weights, bert: Arc::new(bert) })
    }

    /// Loads what `cargo study fetch minilm` got.
    pub fn fetched() -> Result<Self> {
        Self::load(&files::fetched())
    }

    /// The sizes of the model.
    pub fn config(&self) -> &BertConfig {
        self.bert.config()
    }

    /// The numbers of each sentence's tokens, `[CLS]` first and `[SEP]` last, without padding.
    pub fn ids(&self, sentences: &[&str]) -> Result<Vec<Vec<u32>>> {
        Ok(self.tokens.split(sentences)?.into_iter().map(|one| one.ids).collect())
    }

    /// What the encoder makes of each sentence, and what its heads look at.
    ///
    /// Shorter sentences are padded and the padding is masked out, so a sentence gets the same numbers in any batch, to
    /// rounding. Errors without sentences, or when one has more than 512 tokens.
    pub fn encode(&self, sentences: &[&str]) -> Result<Encoded> {
        self.read(self.tokens.split(sentences)?)
    }

    /// One sentence, once for each of `covered`: whole for `None`, else with the tokens of that word, counted from 0,
    /// replaced by `[MASK]`. Errors as [`encode`](Self::encode) does, and when the sentence has no such word.
    pub fn encode_covered(
        &self,
        sentence: &str,
        covered: &[Option<usize>],
    ) -> Result<Encoded> {
        let mut split = self.tokens.split(&vec![sentence; covered.len()])?;
        for (one, word) in split.iter_mut().zip(covered) {
            if let Some(word) = *word {
                self.tokens.cover(one, word)?;
            }
        }
        self.read(split)
    }

    /// The same encoder, cut off after its first `layers` layers. With none, no token knows of any other. Errors when
    /// there are not so many.
    pub fn first(&self, layers: usize) -> Result<Self> {
        if layers > self.config().layers {
            bail!("layers: expected at most {}; got {layers}", self.config().layers);
        }
        let bert =
            Arc::new(bert(&BertConfig { layers, ..*self.config() }, &self.weights)?);
        Ok(Self { bert, ..self.clone() })
    }

    fn read(&self, split: Vec<Split>) -> Result<Encoded> {
        let (ids, mask) = self.batch(&split)?;
        let (hidden, maps) = self.bert.forward(&ids, &mask)?;
        let (tokens, words) =
            split.into_iter().map(|one| (one.tokens, one.words)).unzip();
        Ok(Encoded { tokens, words, hidden, maps, mask })
    }

    /// The numbers of the tokens, and which of them are real: `(batch, seq)` both.
    fn batch(&self, split: &[Split]) -> Result<(Tensor, Tensor)> {
        let longest = split.iter().map(|one| one.ids.len()).max().unwrap_or(0);
        if longest == 0 {
            bail!("sentences: expected at least one; got none");
        }
        let most = self.config().positions;
        if let Some((at, one)) =
            split.iter().enumerate().find(|(_, one)| one.ids.len() > most)
        {
            bail!(
                "sentence {at}: expected at most {most} tokens; got {}",
                one.ids.len()
            );
        }
        let padded = |one: &Split| {
            (0..longest)
                .map(|at| one.ids.get(at).copied().unwrap_or(tokens::PADDING))
                .collect()
        };
        let real = |one: &Split| {
            (0..longest).map(|at| u8::from(at < one.ids.len())).collect::<Vec<_>>()
        };
        let ids: Vec<Vec<u32>> = split.iter().map(padded).collect();
        let mask: Vec<Vec<u8>> = split.iter().map(real).collect();
        Ok((Tensor::new(ids, &Device::Cpu)?, Tensor::new(mask, &Device::Cpu)?))
    }
}

/// The network of these weights; tensors share their memory.
fn bert(config: &BertConfig, weights: &HashMap<String, Tensor>) -> Result<Bert> {
    let vb = VarBuilder::from_tensors(weights.clone(), DType::F32, &Device::Cpu);
    Bert::new(config, vb)
}
