//! The maps of one sentence, token by token and word by word.

use crate::{
    minilm::Encoded,
    sentences::{Relation, Sentence},
};
use candle_core::{Result, bail};

/// A square matrix: who (row) looks at whom (column), and how much.
pub struct Map {
    size: usize,
    values: Vec<f64>,
}

impl Map {
    /// How much row `from` looks at column `to`.
    pub fn at(&self, from: usize, to: usize) -> f64 {
        self.values[from * self.size + to]
    }

    /// The weights of row `from`.
    pub fn row(&self, from: usize) -> &[f64] {
        &self.values[from * self.size..(from + 1) * self.size]
    }
}

/// What all heads look at in one sentence.
pub struct Looks {
    /// The tokens: `[CLS]` first, `[SEP]` last.
    pub tokens: Vec<String>,
    /// One map over tokens for each head, layer by layer.
    pub maps: Vec<Map>,
    /// The same over words, without `[CLS]` and `[SEP]`: rows need not sum to one.
    pub word_maps: Vec<Map>,
    /// The labelled pairs of words.
    pub pairs: Vec<(Relation, usize, usize)>,
}

impl Looks {
    /// The maps of sentence number `at`. Errors when the tokenizer saw other words than the labels name.
    pub fn new(encoded: &Encoded, at: usize, sentence: &Sentence) -> Result<Self> {
        let (tokens, words) = (&encoded.tokens[at], &encoded.words[at]);
        let inside = |&(_, from, to): &(Relation, usize, usize)| {
            from.max(to) < sentence.words.len()
        };
        if tokens.len() < 2
            || words.len() != tokens.len()
            || !sentence.pairs.iter().all(inside)
        {
            bail!(
                "sentence {at}: expected [CLS], words, [SEP], a word's number for each, and pairs of its words; got {tokens:?}"
            );
        }
        let pieces: Vec<Vec<usize>> = (0..sentence.words.len())
            .map(|word| {
                (0..tokens.len()).filter(|&token| words[token] == Some(word)).collect()
            })
            .collect();
        let seen = words.iter().flatten().max().map_or(0, |last| last + 1);
        if seen != sentence.words.len() {
            bail!(
                "sentence {at}: expected words as the tokenizer splits them, {seen}; got {} in {:?}",
                sentence.words.len(),
                sentence.text()
            );
        }
        let mut maps = Vec::new();
        for layer in 0..encoded.maps.len() {
            for head in encoded.map(at, layer)?.to_vec3::<f32>()? {
                let values = head.into_iter().flatten().map(f64::from).collect();
                maps.push(Map { size: tokens.len(), values });
            }
        }
        Ok(Self {
            tokens: tokens.clone(),
            word_maps: maps.iter().map(|map| over_words(map, &pieces)).collect(),
            maps,
            pairs: sentence.pairs.clone(),
        })
    }

    /// The tokens between `[CLS]` and `[SEP]`.
    pub fn inner(&self) -> std::ops::Range<usize> {
        1..self.tokens.len() - 1
    }
}

// ANCHOR: over_words
/// To a word that is split into pieces: the sum of what its pieces get. From it: the mean over its pieces.
fn over_words(map: &Map, pieces: &[Vec<usize>]) -> Map {
    let weight = |from: &[usize], to: &[usize]| {
        let sum: f64 =
            from.iter().flat_map(|&q| to.iter().map(move |&k| map.at(q, k))).sum();
        sum / from.len() as f64
    };
    let pairs = pieces.iter().flat_map(|from| pieces.iter().map(move |to| (from, to)));
    Map {
        size: pieces.len(),
        values: pairs.map(|(from, to)| weight(from, to)).collect(),
    }
}
// ANCHOR_END: over_words
