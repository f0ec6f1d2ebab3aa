//! Whether a pronoun's vector knows what it stands for, and which heads bring that there.
//!
//! Cover a noun with `[MASK]`: the vectors of all tokens that took something from it turn. How far a pronoun's vector
//! turns says how much it took from that noun. Without attention it would not turn at all.

use crate::{
    minilm::{Encoded, MiniLm},
    sentences::{Relation, Sentence},
};
use candle_core::{DType, Result, Tensor, bail};
use std::collections::BTreeSet;

/// How far pronouns' vectors turn when a noun of their sentence is covered: 1 − the cosine of the vector before and
/// after, its mean over the pronouns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// When the noun that the pronoun stands for is covered.
    pub own: f64,
    /// When another noun of the sentence is, the mean over those.
    pub others: f64,
    /// How many pronouns these are the means of.
    pub pronouns: usize,
}

// ANCHOR: turn
/// Covers the nouns of each sentence, one at a time, and measures how far the pronouns turn in the model's last layer.
///
/// Errors when no sentence has a pronoun and a noun beside its own.
pub fn turn(model: &MiniLm, sentences: &[Sentence]) -> Result<Turn> {
    let (mut own, mut others, mut pronouns) = (0., 0., 0);
    for sentence in sentences {
        let nouns = nouns(sentence);
        let covered: Vec<Option<usize>> =
            std::iter::once(None).chain(nouns.iter().copied().map(Some)).collect();
        let encoded = model.encode_covered(&sentence.text(), &covered)?; // the first one is whole
        for (pronoun, noun) in pairs(sentence).filter(|_| nouns.len() > 1) {
            let before = word(&encoded, 0, pronoun)?;
            for (at, covered) in nouns.iter().enumerate() {
                let after = word(&encoded, at + 1, pronoun)?;
                let turned = (1. - cosine(&before, &after)?).max(0.); // rounding
                match *covered == noun {
                    true => own += turned,
                    false => others += turned / (nouns.len() - 1) as f64,
                }
            }
            pronouns += 1;
        }
    }
    if pronouns == 0 {
        bail!("sentences: expected a pronoun beside two nouns; got none");
    }
    Ok(Turn { own: own / pronouns as f64, others: others / pronouns as f64, pronouns })
}
// ANCHOR_END: turn

/// The pronouns of a sentence, with the words they stand for.
fn pairs(sentence: &Sentence) -> impl Iterator<Item = (usize, usize)> {
    let pronouns = sentence.pairs.iter().filter(|pair| pair.0 == Relation::Pronoun);
    pronouns.map(|&(_, pronoun, noun)| (pronoun, noun))
}

/// The nouns of a sentence, as far as its labels tell.
fn nouns(sentence: &Sentence) -> BTreeSet<usize> {
    use Relation::{Adjective, Determiner, Object, Preposition, Pronoun, Subject};
    let pronouns: BTreeSet<usize> =
        pairs(sentence).map(|(pronoun, _)| pronoun).collect();
    let noun = |&(relation, from, to): &(Relation, usize, usize)| match relation {
        Determiner | Adjective | Preposition | Pronoun => to,
        Subject | Object => from,
    };
    sentence.pairs.iter().map(noun).filter(|word| !pronouns.contains(word)).collect()
}

/// A word's last vector, the mean of its pieces': `(dim)`.
fn word(encoded: &Encoded, at: usize, word: usize) -> Result<Tensor> {
    let of = &encoded.words[at];
    let own = |&token: &usize| of[token] == Some(word);
    let pieces: Vec<u32> =
        (0..of.len()).filter(own).map(|token| token as u32).collect();
    if pieces.is_empty() {
        bail!(
            "sentences: expected words as the tokenizer splits them; there is no word {word}"
        );
    }
    let hidden = encoded.hidden.get(at)?; // (seq, dim)
    hidden.index_select(&Tensor::new(pieces, hidden.device())?, 0)?.mean(0)
}

fn cosine(one: &Tensor, other: &Tensor) -> Result<f64> {
    let [one, other] = [one, other].map(|vector| vector.to_dtype(DType::F64));
    let (one, other) = (one?, other?);
    let dot = |a: &Tensor, b: &Tensor| (a * b)?.sum_all()?.to_scalar::<f64>();
    Ok(dot(&one, &other)? / (dot(&one, &one)? * dot(&other, &other)?).sqrt())
}

/// How far the pronouns turn with all heads, and without each of them.
#[derive(Clone, Debug)]
pub struct Ablations {
    /// With all heads.
    pub whole: Turn,
    /// Without any: what the measure says where no token can know of another.
    pub none: Turn,
    /// Without one: its layer and number, both counted from 0.
    pub without: Vec<((usize, usize), Turn)>,
}

impl Ablations {
    /// The turn without this head. Errors when it was not switched off.
    pub fn without(&self, head: (usize, usize)) -> Result<Turn> {
        match self.without.iter().find(|(own, _)| *own == head) {
            Some((_, turn)) => Ok(*turn),
            None => bail!(
                "head: expected one that was switched off; got {}.{}",
                head.0,
                head.1
            ),
        }
    }

    /// The heads in the order of what covering a pronoun's own noun still does without them: first the one that
    /// matters most.
    pub fn ranked(&self) -> Vec<((usize, usize), Turn)> {
        let mut ranked = self.without.clone();
        ranked.sort_by(|(_, one), (_, other)| one.own.total_cmp(&other.own));
        ranked
    }

    /// What one head matters, beside all the others: their mean is what a head that is drawn at random would give.
    /// Errors when `head` was not switched off, or nothing else was.
    pub fn table(&self, head: (usize, usize)) -> Result<String> {
        let without = self.without(head)?;
        let ranked = self.ranked();
        let rank = ranked.iter().take_while(|(own, _)| *own != head).count() + 1;
        let others: Vec<_> =
            ranked.into_iter().filter(|(own, _)| *own != head).collect();
        let (Some(first), Some(last)) = (others.first(), others.last()) else {
            bail!("ablations: expected more heads than one");
        };
        let mean = |of: fn(&Turn) -> f64| {
            others.iter().map(|(_, turn)| of(turn)).sum::<f64>() / others.len() as f64
        };
        let random = Turn {
            own: mean(|turn| turn.own),
            others: mean(|turn| turn.others),
            ..without
        };
        let name = |(layer, at): (usize, usize)| format!("without head {layer}.{at}");
        let rows = [
            ("with all heads".to_string(), self.whole, String::new()),
            ("without any".into(), self.none, String::new()),
            (name(head), without, format!("number {rank} of {}", others.len() + 1)),
            ("without another, mean".into(), random, String::new()),
            (name(first.0), first.1, "first of the others".into()),
            (name(last.0), last.1, "last of the others".into()),
        ];
        let mut text =
            format!("{:<22} {:>8} {:>11}\n", "turn", "own noun", "other nouns");
        for (name, Turn { own, others, .. }, note) in rows {
            let line = format!("{name:<22} {own:>8.4} {others:>11.4}  {note}");
            text += &format!("{}\n", line.trim_end());
        }
        Ok(text)
    }
}

/// Switches off one head after the other and measures the [`turn`] on every second sentence: on the others, heads were
/// chosen. What a head puts out instead is its mean over the sentences without a pronoun.
pub fn ablations(model: &MiniLm, sentences: &[Sentence]) -> Result<Ablations> {
    let measured: Vec<Sentence> = measured(sentences).cloned().collect();
    let reference: Vec<String> = sentences
        .iter()
        .filter(|one| pairs(one).next().is_none())
        .map(Sentence::text)
        .collect();
    let reference: Vec<&str> = reference.iter().map(String::as_str).collect();
    let (layers, heads) = (model.config().layers, model.config().heads);
    let all = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let off = |model: &MiniLm, head| model.without(head, &reference);
    let none = all.clone().try_fold(model.clone(), |model, head| off(&model, head))?;
    let without = |head| Ok((head, turn(&off(model, head)?, &measured)?));
    Ok(Ablations {
        whole: turn(model, &measured)?,
        none: turn(&none, &measured)?,
        without: all.map(without).collect::<Result<_>>()?,
    })
}

/// The sentences on which no head was chosen, those of them that have a pronoun.
fn measured(sentences: &[Sentence]) -> impl Iterator<Item = &Sentence> {
    sentences.iter().skip(1).step_by(2).filter(|one| pairs(one).next().is_some())
}

/// A guess that takes no model: the pronoun stands for the first noun of its sentence. For how many of the pronouns
/// that are measured is that so, and how many are there?
pub fn first_noun(sentences: &[Sentence]) -> (usize, usize) {
    let (mut right, mut all) = (0, 0);
    for sentence in measured(sentences) {
        let first = nouns(sentence).first().copied();
        for (_, noun) in pairs(sentence) {
            right += usize::from(Some(noun) == first);
            all += 1;
        }
    }
    (right, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentences::labelled;
    use candle_core::Device;

    /// What the page says beside the score of the head that finds a pronoun's noun.
    #[test]
    fn most_pronouns_stand_for_the_first_noun() -> Result<()> {
        let sentences = labelled()?;
        assert_eq!(first_noun(&sentences), (5, 9));
        let chosen: Vec<Sentence> = [&sentences[..1], &sentences[..29]].concat(); // all move on by one
        assert_eq!(first_noun(&chosen), (8, 10));
        Ok(())
    }

    #[test]
    fn nouns_are_what_is_labelled_as_one() -> Result<()> {
        let sentences = labelled()?;
        let of = |text: &str| {
            let sentence = sentences.iter().find(|one| one.text().starts_with(text));
            let sentence = sentence.expect("it is there");
            nouns(sentence)
                .iter()
                .map(|&at| sentence.words[at].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("Julia"), ["Julia", "bicycle", "garage"]);
        assert_eq!(of("When Maria"), ["Maria", "window", "police"]);
        Ok(())
    }

    #[test]
    fn a_head_stands_beside_the_others() -> Result<()> {
        let turn = |own| Turn { own, others: 0.5, pronouns: 9 };
        let without =
            vec![((0, 0), turn(0.75)), ((0, 1), turn(0.25)), ((1, 0), turn(1.25))];
        let found = Ablations { whole: turn(1.), none: turn(0.), without };
        let table = found.table((0, 1))?;
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "with all heads           1.0000      0.5000");
        assert_eq!(lines[2], "without any              0.0000      0.5000");
        assert_eq!(
            lines[3],
            "without head 0.1         0.2500      0.5000  number 1 of 3"
        );
        assert_eq!(lines[4], "without another, mean    1.0000      0.5000");
        assert!(lines[5].starts_with("without head 0.0"), "{table}");
        assert!(lines[6].starts_with("without head 1.0"), "{table}");
        assert!(found.table((2, 0)).is_err());
        Ok(())
    }

    #[test]
    fn a_cosine_is_one_for_the_same_direction() -> Result<()> {
        let vector = |numbers: [f32; 2]| Tensor::new(&numbers, &Device::Cpu);
        let cosine = |one, other| cosine(&vector(one)?, &vector(other)?);
        assert!((cosine([3., 4.], [6., 8.])? - 1.).abs() < 1e-12);
        assert!((cosine([1., 0.], [0., 2.])?).abs() < 1e-12);
        assert!((cosine([1., 1.], [-2., -2.])? + 1.).abs() < 1e-12);
        Ok(())
    }
}
