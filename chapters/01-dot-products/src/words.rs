//! Real word vectors: 120 token embeddings of a small encoder, compiled into the program.
//!
//! One vector per word, whatever stands around it: these are the rows *before* the encoder adds positions and normalises.
//! `data/README.md` says where they come from.

use candle_core::{Device, Error, IndexOp, Result, Tensor, bail, safetensors::load_buffer};
use safetensors::SafeTensors;

const FILE: &[u8] = include_bytes!("../data/words.safetensors");

/// Words with a vector each, and sentences made of these words.
#[derive(Clone, Debug)]
pub struct WordVectors {
    words: Vec<String>,
    sentences: Vec<String>,
    vectors: Tensor,
}

impl WordVectors {
    /// Reads the table: 120 words, 384 numbers each, f32, on the CPU.
    pub fn load() -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(FILE).map_err(Error::wrap)?;
        let list = |key: &str| -> Result<Vec<String>> {
            let Some(text) = header.metadata().as_ref().and_then(|all| all.get(key)) else {
                bail!("words.safetensors: expected the metadata key `{key}`; got none");
            };
            serde_json::from_str(text).map_err(Error::wrap)
        };
        let Some(vectors) = load_buffer(FILE, &Device::Cpu)?.remove("vectors") else {
            bail!("words.safetensors: expected the tensor `vectors`; got none");
        };
        Ok(Self { words: list("words")?, sentences: list("sentences")?, vectors })
    }

    /// The words, in the order of the rows of [`vectors`](Self::vectors); words of one kind stand together.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// All vectors, `(120, 384)`.
    pub fn vectors(&self) -> &Tensor {
        &self.vectors
    }

    /// Sentences whose words are all in the table: lower case, no punctuation.
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// The vector of one word, `(384)`. Errors when the word is not in the table, and says which one is spelled most alike.
    pub fn vector(&self, word: &str) -> Result<Tensor> {
        self.vectors.i(self.position(word)?)
    }

    /// The vectors of several words separated by spaces, such as a sentence: `(words, 384)`.
    ///
    /// Errors when a word is not in the table or there is none.
    pub fn sentence(&self, text: &str) -> Result<Tensor> {
        let rows =
            text.split_whitespace().map(|word| self.vector(word)).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            bail!("text: expected at least one word; got {text:?}");
        }
        Tensor::stack(&rows, 0)
    }

    fn position(&self, word: &str) -> Result<usize> {
        if let Some(at) = self.words.iter().position(|known| known == word) {
            return Ok(at);
        }
        let alike = |known: &&String| (strsim::jaro_winkler(word, known) * 1e6) as u64;
        let nearest = self.words.iter().max_by_key(alike).map_or("", String::as_str);
        bail!(
            "{word:?} is not one of the {} words (lower case); the nearest is {nearest:?}",
            self.words.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_finite_vector_for_each_word() -> Result<()> {
        let table = WordVectors::load()?;
        assert_eq!(table.vectors().dims(), [table.words().len(), 384]);
        let sum = table.vectors().abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(sum.is_finite() && sum > 0.);
        Ok(())
    }

    #[test]
    fn a_word_has_its_own_row_and_a_sentence_the_rows_of_its_words() -> Result<()> {
        let table = WordVectors::load()?;
        for (at, word) in table.words().iter().enumerate() {
            let row = table.vectors().i(at)?.to_vec1::<f32>()?;
            assert_eq!(table.vector(word)?.to_vec1::<f32>()?, row);
        }
        for sentence in table.sentences() {
            let words: Vec<&str> = sentence.split(' ').collect();
            let rows = table.sentence(sentence)?;
            assert_eq!(rows.dims(), [words.len(), 384]);
            let last = table.vector(words[words.len() - 1])?.to_vec1::<f32>()?;
            assert_eq!(rows.i(words.len() - 1)?.to_vec1::<f32>()?, last);
        }
        Ok(())
    }

    #[test]
    fn an_unknown_word_is_an_error_that_names_the_nearest() -> Result<()> {
        let table = WordVectors::load()?;
        let error = table.vector("kittens").unwrap_err().to_string();
        assert!(error.contains("\"kitten\""), "{error}");
        assert!(table.sentence("the cat meows").is_err());
        assert!(table.sentence(" ").is_err());
        Ok(())
    }
}
