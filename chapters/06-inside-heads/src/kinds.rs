//! What each head of an encoder does: one score per kind and head, beside what the other heads, chance or position alone
//! would give.
//!
//! A head is chosen on one half of the sentences and its score is measured on the other: the best of 72 heads on the
//! same sentences would look better than it is.

mod looks;
mod tally;
#[cfg(test)]
mod tests;

use crate::{
    minilm::Encoded,
    sentences::{Relation, Sentence},
};
use candle_core::{Error, Result, bail};
use looks::Looks;
use std::fmt::{self, Write as _};
use tally::tally;

/// Something that a head may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token looks at the one before it. The score of this and the six kinds below is a mean weight.
    Previous,
    /// A token looks at the one after it.
    Next,
    /// A token looks at itself.
    Itself,
    /// A token looks at the others that are spelled alike.
    Alike,
    /// A token looks at `[CLS]`, the first.
    First,
    /// A token looks at `[SEP]`, the last.
    Separator,
    /// A token looks at the full stop.
    Stop,
    /// The map follows from the distances between the words alone: the score is how far a guess made of distances
    /// overlaps with it, 1 for wholly.
    Position,
    /// A word looks most at the one it belongs to: the score is the share of pairs for which it does.
    From(Relation),
    /// A word looks most at the one that belongs to it.
    To(Relation),
}

impl Kind {
    /// All kinds that are scored.
    pub const ALL: [Self; 20] = [
        Self::Previous,
        Self::Next,
        Self::Itself,
        Self::Alike,
        Self::First,
        Self::Separator,
        Self::Stop,
        Self::Position,
        Self::From(Relation::Determiner),
        Self::To(Relation::Determiner),
        Self::From(Relation::Adjective),
        Self::To(Relation::Adjective),
        Self::From(Relation::Subject),
        Self::To(Relation::Subject),
        Self::From(Relation::Object),
        Self::To(Relation::Object),
        Self::From(Relation::Preposition),
        Self::To(Relation::Preposition),
        Self::From(Relation::Pronoun),
        Self::To(Relation::Pronoun),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = |relation: &Relation| match relation {
            Relation::Determiner => ("det.", "noun"),
            Relation::Adjective => ("adj.", "noun"),
            Relation::Subject => ("subject", "verb"),
            Relation::Object => ("object", "verb"),
            Relation::Preposition => ("prep.", "noun"),
            Relation::Pronoun => ("pronoun", "noun"),
        };
        let text = match self {
            Self::Previous => "previous token".into(),
            Self::Next => "next token".into(),
            Self::Itself => "itself".into(),
            Self::Alike => "same token".into(),
            Self::First => "[CLS]".into(),
            Self::Separator => "[SEP]".into(),
            Self::Stop => "full stop".into(),
            Self::Position => "position alone".into(),
            Self::From(relation) => {
                format!("{} → {}", ends(relation).0, ends(relation).1)
            }
            Self::To(relation) => {
                format!("{} → {}", ends(relation).1, ends(relation).0)
            }
        };
        out.pad(&text)
    }
}

/// How well each head fits a kind, and which fits best.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The kind.
    pub kind: Kind,
    /// The score of each head on all sentences, layer by layer, in [0, 1].
    pub heads: Vec<Vec<f64>>,
    /// The layer of the head that is best on the first, third, fifth … sentence; counted from 0.
    pub layer: usize,
    /// Its number in that layer, counted from 0.
    pub head: usize,
    /// Its score on the other sentences.
    pub score: f64,
    /// The mean score of all other heads on those sentences: what one drawn at random would score.
    pub others: f64,
    /// What it is to be compared with, on those sentences. For weights and [`Kind::Position`]: what looking at all
    /// tokens alike would score; for words: the best single guess of the form "always the word that stands n further".
    pub baseline: f64,
    /// How many tokens or pairs of words `score` is the mean of.
    pub count: usize,
    /// The sentence among those in which the kind is clearest.
    pub sentence: usize,
}

/// Scores all heads for all kinds. Errors when the sentences are not the ones that were encoded, or fewer than two.
pub fn score(encoded: &Encoded, sentences: &[Sentence]) -> Result<Vec<Scored>> {
    if sentences.len() < 2 || sentences.len() != encoded.tokens.len() {
        let (expected, got) = (encoded.tokens.len(), sentences.len());
        bail!(
            "sentences: expected the {expected} that were encoded, two or more; got {got}"
        );
    }
    if encoded.maps.iter().all(|map| map.elem_count() == 0) {
        bail!("encoded: expected maps of at least one layer with heads; got none");
    }
    let looks = (0..sentences.len())
        .map(|at| Looks::new(encoded, at, &sentences[at]))
        .collect::<Result<Vec<_>>>()?;
    Kind::ALL.iter().map(|&kind| score_kind(kind, &looks, encoded.maps.len())).collect()
}

fn score_kind(kind: Kind, looks: &[Looks], layers: usize) -> Result<Scored> {
    let half = |odd| (0..looks.len()).filter(move |at| at % 2 == odd);
    let halves = [0, 1].map(|odd| half(odd).map(|at| &looks[at]).collect::<Vec<_>>());
    // What a measure learns from sentences, it learns from the other half.
    let [chosen, measured] =
        [0, 1].map(|half| tally(kind, &halves[1 - half], &halves[half]));
    if chosen.count == 0 || measured.count == 0 {
        bail!(
            "sentences: expected a pair for {kind:?} in the odd and in the even ones; got none"
        );
    }
    let best = chosen.best();
    let clear = |look: &Looks| {
        let one = tally(kind, &halves[0], &[look]);
        (one.score(best), one.count)
    };
    let (sentence, _) = half(1)
        .map(|at| (at, clear(&looks[at])))
        .max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        .unwrap_or_default();
    let all = chosen.joined(&measured);
    let per_layer = all.heads() / layers;
    Ok(Scored {
        kind,
        heads: (0..layers)
            .map(|layer| {
                (0..per_layer).map(|head| all.score(layer * per_layer + head)).collect()
            })
            .collect(),
        layer: best / per_layer,
        head: best % per_layer,
        score: measured.score(best),
        others: measured.others(best),
        baseline: measured.baseline(best),
        count: measured.count,
        sentence,
    })
}

/// What was found for one kind. Errors when `scored` has none, as without a model.
pub fn of(scored: &[Scored], kind: Kind) -> Result<&Scored> {
    let found = scored.iter().find(|one| one.kind == kind);
    found.ok_or_else(|| {
        Error::msg(format!("scored: expected all kinds; got no {kind:?}"))
    })
}

/// The best head of each kind as a table; layers and heads count from 0.
pub fn table(scored: &[Scored]) -> String {
    let mut text = format!(
        "{:<16} {:>5} {:>5} {:>6} {:>7} {:>9} {:>5}\n",
        "looks at", "layer", "head", "score", "others", "baseline", "of"
    );
    for Scored { kind, layer, head, score, others, baseline, count, .. } in scored {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{kind:<16} {layer:>5} {head:>5} {score:>6.2} {others:>7.2} {baseline:>9.2} {count:>5}"
        );
    }
    text
}
