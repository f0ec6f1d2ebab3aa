//! Whether a pronoun's vector comes near that of the word it stands for, and which heads that takes.

use crate::{
    minilm::{Encoded, MiniLm},
    sentences::{Relation, Sentence},
};
use candle_core::{D, Result, Tensor, bail};
use std::collections::BTreeSet;

/// How much nearer the pronouns come to their own nouns than to the other nouns of the sentence: the cosine of the two
/// words' last vectors, less the mean cosine with the others, its mean over the labelled pronouns. 0 without a
/// preference.
///
/// `encoded` are these `sentences`. Errors when none of them has a pronoun and another noun than its own.
pub fn preference(encoded: &Encoded, sentences: &[Sentence]) -> Result<f64> {
    let mut margins = vec![];
    for (at, sentence) in sentences.iter().enumerate() {
        let cosines = cosines(encoded, at, sentence.words.len())?;
        let nouns = nouns(sentence);
        for &(relation, pronoun, own) in &sentence.pairs {
            let others: Vec<f64> = nouns
                .iter()
                .filter(|&&noun| noun != own && noun != pronoun)
                .map(|&noun| cosines[pronoun][noun])
                .collect();
            if relation == Relation::Pronoun && !others.is_empty() {
                let mean = others.iter().sum::<f64>() / others.len() as f64;
                margins.push(cosines[pronoun][own] - mean);
            }
        }
    }
    if margins.is_empty() {
        bail!("sentences: expected a pronoun beside two nouns; got none");
    }
    Ok(margins.iter().sum::<f64>() / margins.len() as f64)
}

/// The cosine of any two words' last vectors; a word's vector is the mean of its pieces'.
fn cosines(encoded: &Encoded, at: usize, words: usize) -> Result<Vec<Vec<f64>>> {
    let hidden = encoded.hidden.get(at)?; // (seq, dim)
    let vector = |word: usize| {
        let of = &encoded.words[at];
        let pieces: Vec<u32> =
            (0..of.len()).filter(|&token| of[token] == Some(word)).map(|token| token as u32).collect();
        if pieces.is_empty() {
            bail!("sentences: expected those that were encoded; sentence {at} has no word {word}");
        }
        hidden.index_select(&Tensor::new(pieces, hidden.device())?, 0)?.mean(0)
    };
    let vectors = Tensor::stack(&(0..words).map(vector).collect::<Result<Vec<_>>>()?, 0)?;
    let unit = vectors.broadcast_div(&vectors.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)?;
    unit.matmul(&unit.t()?)?.to_dtype(candle_core::DType::F64)?.to_vec2()
}

/// The nouns of a sentence, as far as its labels tell.
fn nouns(sentence: &Sentence) -> BTreeSet<usize> {
    use Relation::{Adjective, Determiner, Object, Preposition, Pronoun, Subject};
    let pronouns: BTreeSet<usize> =
        sentence.pairs.iter().filter(|pair| pair.0 == Pronoun).map(|pair| pair.1).collect();
    let noun = |&(relation, from, to): &(Relation, usize, usize)| match relation {
        Determiner | Adjective | Preposition | Pronoun => to,
        Subject | Object => from,
    };
    sentence.pairs.iter().map(noun).filter(|word| !pronouns.contains(word)).collect()
}

/// What the encoder makes of the pronouns with one head switched off, for each head in turn.
#[derive(Clone, Debug)]
pub struct Ablations {
    /// The [`preference`] of the whole encoder.
    pub whole: f64,
    /// A head, layer and number, and the preference without it.
    pub without: Vec<((usize, usize), f64)>,
    /// How many pronouns it is the mean of.
    pub pronouns: usize,
}

/// Switches off one head after the other and measures the [`preference`] on every second sentence, those on which no
/// head was chosen. A head's mean comes from the sentences without a pronoun.
pub fn ablations(model: &MiniLm, sentences: &[Sentence]) -> Result<Ablations> {
    let pronouns = |one: &Sentence| one.pairs.iter().filter(|pair| pair.0 == Relation::Pronoun).count();
    let measured: Vec<Sentence> =
        sentences.iter().skip(1).step_by(2).filter(|one| pronouns(one) > 0).cloned().collect();
    let reference: Vec<String> =
        sentences.iter().filter(|one| pronouns(one) == 0).map(Sentence::text).collect();
    let texts: Vec<String> = measured.iter().map(Sentence::text).collect();
    let [texts, reference] = [&texts, &reference]
        .map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
    let (layers, heads) = (model.config().layers, model.config().heads);
    let all = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let without = |head| {
        let encoded = model.without(head, &reference)?.encode(&texts)?;
        Ok((head, preference(&encoded, &measured)?))
    };
    Ok(Ablations {
        whole: preference(&model.encode(&texts)?, &measured)?,
        without: all.map(without).collect::<Result<_>>()?,
        pronouns: measured.iter().map(pronouns).sum(),
    })
}
