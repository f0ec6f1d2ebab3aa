//! Sentences with the relations between their words, labelled by hand: `data/sentences.txt`.

use candle_core::{Result, bail};

const FILE: &str = include_str!("../data/sentences.txt");

/// How one word of a sentence belongs to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// An article, "this" or "every", to its noun.
    Determiner,
    /// An adjective to the noun it stands before.
    Adjective,
    /// A subject to its verb.
    Subject,
    /// A direct object to its verb.
    Object,
    /// A preposition to its noun.
    Preposition,
    /// A pronoun to the word it stands for.
    Pronoun,
}

/// The relations with their names in the file.
const RELATIONS: [(&str, Relation); 6] = [
    ("determiner", Relation::Determiner),
    ("adjective", Relation::Adjective),
    ("subject", Relation::Subject),
    ("object", Relation::Object),
    ("preposition", Relation::Preposition),
    ("pronoun", Relation::Pronoun),
];

/// A labelled sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Its words and punctuation.
    pub words: Vec<String>,
    /// Pairs of words, (relation, from, to), counted from 0.
    pub pairs: Vec<(Relation, usize, usize)>,
}

impl Sentence {
    /// The sentence as one text, words separated by spaces.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Where the word `name` stands: `the.2` is the second "the".
    fn position(&self, name: &str) -> Result<usize> {
        let (word, which) = match name.rsplit_once('.') {
            Some((word, number)) => (word, number.parse().ok()),
            None => (name, None),
        };
        let found: Vec<usize> =
            (0..self.words.len()).filter(|&at| self.words[at] == word).collect();
        match (which, &found[..]) {
            (None, &[at]) => Ok(at),
            (Some(number @ 1..), all) if number <= all.len() => Ok(all[number - 1]),
            _ => bail!(
                "sentences: {name:?} stands {} times in {:?}",
                found.len(),
                self.text()
            ),
        }
    }
}

/// All labelled sentences, 30. Errors when the file does not say what it should.
pub fn labelled() -> Result<Vec<Sentence>> {
    read(FILE)
}

fn read(text: &str) -> Result<Vec<Sentence>> {
    let mut sentences: Vec<Sentence> = Vec::new();
    for line in
        text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let mut parts = line.split_whitespace();
        if !line.starts_with(' ') {
            sentences.push(Sentence {
                words: parts.map(String::from).collect(),
                pairs: vec![],
            });
            continue;
        }
        let name = parts.next().unwrap_or_default();
        let relation = RELATIONS.iter().find(|(known, _)| *known == name);
        let (Some(sentence), Some(&(_, relation))) = (sentences.last_mut(), relation)
        else {
            bail!("sentences: expected a relation of a sentence above; got {line:?}");
        };
        for pair in parts {
            let Some((from, to)) = pair.split_once('>') else {
                bail!("sentences: expected from>to; got {pair:?}");
            };
            let pair = (relation, sentence.position(from)?, sentence.position(to)?);
            sentence.pairs.push(pair);
        }
    }
    Ok(sentences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_is_there_often_enough() -> Result<()> {
        let sentences = labelled()?;
        assert_eq!(sentences.len(), 30);
        for (name, relation) in RELATIONS {
            let pairs = sentences.iter().flat_map(|sentence| &sentence.pairs);
            let count =
                pairs.filter(|(of, from, to)| *of == relation && from != to).count();
            println!("{name}: {count}");
            assert!(count >= 15, "{name}: {count}");
        }
        Ok(())
    }

    #[test]
    fn words_are_found_by_their_number() -> Result<()> {
        let sentences =
            read("the cat saw the dog .\n  determiner the.1>cat the.2>dog\n")?;
        let determiner = Relation::Determiner;
        assert_eq!(sentences[0].pairs, [(determiner, 0, 1), (determiner, 3, 4)]);
        Ok(())
    }

    #[test]
    fn a_slip_in_the_file_is_named() {
        for (slip, says) in [
            ("the cat saw the dog\n  determiner the>cat", "\"the\" stands 2 times"),
            ("the cat\n  determiner the.2>cat", "\"the.2\" stands 1 times"),
            ("the cat\n  determiner a>cat", "\"a\" stands 0 times"),
            ("the cat\n  article the>cat", "expected a relation"),
            ("  determiner the>cat", "expected a relation"),
            ("the cat\n  determiner the-cat", "expected from>to"),
        ] {
            let error = read(slip).unwrap_err().to_string();
            assert!(error.contains(says), "{slip}: {error}");
        }
    }
}
