//! Text to tokens: BERT's lower-case WordPiece.

use super::files::damaged;
use candle_core::{Error, Result, bail};
use std::path::Path;
use tokenizers::{
    AddedToken, Tokenizer, models::wordpiece::WordPiece, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer, processors::bert::BertProcessing,
};

/// The id of `[PAD]`, which fills up short sentences.
pub const PADDING: u32 = 0;

const UNKNOWN: &str = "[UNK]";
const COVER: &str = "[MASK]";

/// One sentence in tokens.
pub struct Split {
    /// The tokens' numbers, `[CLS]` first and `[SEP]` last.
    pub ids: Vec<u32>,
    /// Their spelling.
    pub tokens: Vec<String>,
    /// The word that each belongs to.
    pub words: Vec<Option<usize>>,
}

/// A tokenizer with the model's vocabulary.
pub struct Tokens(Tokenizer);

impl Tokens {
    /// Reads a vocabulary of `expected` tokens, one per line.
    pub fn read(path: &Path, expected: usize) -> Result<Self> {
        let fail = |text: String| damaged(path, Error::msg(text));
        let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
        let ids =
            WordPiece::read_bytes(&bytes).map_err(|error| fail(error.to_string()))?;
        if ids.len() != expected {
            return Err(fail(format!(
                "expected {expected} different tokens; got {}",
                ids.len()
            )));
        }
        let special = |name: &str| match ids.get(name) {
            Some(&id) => Ok((name.to_string(), id)),
            None => Err(fail(format!("expected a token {name}"))),
        };
        let ends = BertProcessing::new(special("[SEP]")?, special("[CLS]")?);
        let pieces = WordPiece::builder().vocab(ids).unk_token(UNKNOWN.into()).build();
        pieces
            .and_then(|pieces| Self::build(pieces, ends))
            .map_err(|error| fail(error.to_string()))
    }

    // ANCHOR: tokenizer
    fn build(pieces: WordPiece, ends: BertProcessing) -> tokenizers::Result<Self> {
        let mut tokenizer = Tokenizer::new(pieces);
        let names = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", COVER];
        tokenizer
            .with_normalizer(Some(BertNormalizer::new(true, true, None, true)))? // lower case, no accents
            .with_pre_tokenizer(Some(BertPreTokenizer)) // splits at spaces and punctuation
            .with_post_processor(Some(ends)) // [CLS] … [SEP]
            .add_special_tokens(names.map(|name| AddedToken::from(name, true)))?;
        Ok(Self(tokenizer))
    }
    // ANCHOR_END: tokenizer

    /// The tokens of each sentence, without padding.
    pub fn split(&self, sentences: &[&str]) -> Result<Vec<Split>> {
        let split = |sentence: &&str| {
            let encoding = self
                .0
                .encode(*sentence, true)
                .map_err(|error| Error::msg(error.to_string()))?;
            Ok(Split {
                ids: encoding.get_ids().to_vec(),
                tokens: encoding.get_tokens().to_vec(),
                words: encoding
                    .get_word_ids()
                    .iter()
                    .map(|word| word.map(|at| at as usize))
                    .collect(),
            })
        };
        sentences.iter().map(split).collect()
    }

    /// Puts `[MASK]` in the place of each token of a word. Errors when the sentence has no such word.
    pub fn cover(&self, split: &mut Split, word: usize) -> Result<()> {
        let Some(id) = self.0.token_to_id(COVER) else {
            bail!("vocabulary: expected a token {COVER}");
        };
        let Split { ids, tokens, words } = split;
        let own = |&at: &usize| words[at] == Some(word);
        let places: Vec<usize> = (0..words.len()).filter(own).collect();
        if places.is_empty() {
            bail!(
                "covered: expected a word of the sentence, counted from 0; got {word}"
            );
        }
        for at in places {
            ids[at] = id;
            tokens[at] = COVER.into();
        }
        Ok(())
    }
}
