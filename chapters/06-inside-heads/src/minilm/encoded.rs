//! What comes out of the encoder.

use candle_core::{D, DType, Result, Tensor, bail};

/// What an encoder made of a batch of sentences.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The tokens of each sentence, without padding: `[CLS]`, pieces of words, `[SEP]`. A piece that continues a word
    /// begins with `##`.
    pub tokens: Vec<Vec<String>>,
    /// For each token, which word of its sentence it belongs to, counted from 0; none for `[CLS]` and `[SEP]`.
    pub words: Vec<Vec<Option<usize>>>,
    /// The vectors after the last layer, `(batch, seq, dim)`; those of padding mean nothing.
    pub hidden: Tensor,
    /// What the heads look at, layer by layer: `(batch, heads, seq, seq)` each.
    pub maps: Vec<Tensor>,
    /// 1 for a real token, 0 for padding: `(batch, seq)`, u8.
    pub mask: Tensor,
}

impl Encoded {
    /// The maps of one layer for one sentence without its padding: `(heads, tokens, tokens)`. Errors when there is no
    /// such sentence or layer; both count from 0.
    pub fn map(&self, sentence: usize, layer: usize) -> Result<Tensor> {
        let (Some(tokens), Some(map)) =
            (self.tokens.get(sentence), self.maps.get(layer))
        else {
            bail!(
                "sentence {sentence}, layer {layer}: expected less than {} and {}",
                self.tokens.len(),
                self.maps.len()
            )
        };
        map.get(sentence)?.narrow(1, 0, tokens.len())?.narrow(2, 0, tokens.len())
    }

    // ANCHOR: sentence_vectors
    /// One vector per sentence: the mean over its real tokens, brought to length 1. `(batch, dim)`; the dot product of two
    /// rows is their cosine.
    pub fn sentence_vectors(&self) -> Result<Tensor> {
        let real = self.mask.to_dtype(DType::F32)?.unsqueeze(D::Minus1)?; // (batch, seq, 1)
        let sum = self.hidden.broadcast_mul(&real)?.sum(1)?; // (batch, dim); its norm is dropped anyway
        sum.broadcast_div(&sum.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
    }
    // ANCHOR_END: sentence_vectors
}
