//! What the page says about real words.

use candle_core::{D, IndexOp, Result, Tensor};
use dot_products::{
    WordVectors,
    solution::{cosine_similarity, naive_softmax, scores, soft_lookup, top_k},
};

fn number(scalar: &Tensor) -> Result<f32> {
    scalar.to_scalar()
}

fn cosines(words: &WordVectors, vector: &Tensor) -> Result<Tensor> {
    cosine_similarity(&vector.broadcast_as(words.vectors().shape())?, words.vectors())
}

fn dots(words: &WordVectors, vector: &Tensor) -> Result<Tensor> {
    scores(&vector.unsqueeze(0)?, words.vectors())?.squeeze(0)
}

fn best<'a>(words: &'a WordVectors, scores: &Tensor, k: usize) -> Result<Vec<&'a str>> {
    Ok(top_k(scores, k)?.into_iter().map(|at| words.words()[at].as_str()).collect())
}

/// The soft lookup's output for `word` in `text`.
fn in_context(words: &WordVectors, text: &str, word: &str) -> Result<Tensor> {
    let x = words.sentence(text)?;
    let at = text.split(' ').position(|other| other == word).unwrap();
    soft_lookup(&x, &x, &x)?.0.i(at)
}

#[test]
fn neighbours_are_of_the_same_kind() -> Result<()> {
    let words = WordVectors::load()?;
    let near =
        |word| best(&words, &cosines(&words, &words.vector(word)?)?, 4).map(|near| near.join(" "));
    assert_eq!(near("cat")?, "cat cats kitten dog");
    assert_eq!(near("paris")?, "paris france london berlin");
    assert_eq!(near("sleeps")?, "sleeps sleeping sleep asleep");
    Ok(())
}

#[test]
fn norm_and_angle_disagree_on_five_and_on_matrices() -> Result<()> {
    let words = WordVectors::load()?;
    let five = words.vector("five")?;
    assert_eq!(best(&words, &dots(&words, &five)?, 2)?, ["five", "ten"]);
    assert_eq!(best(&words, &cosines(&words, &five)?, 2)?, ["five", "three"]);
    let not_themselves: Vec<_> = words
        .words()
        .iter()
        .filter(|word| {
            let first = words.vector(word).and_then(|v| Ok(top_k(&dots(&words, &v)?, 1)?[0]));
            words.words()[first.unwrap()] != **word
        })
        .collect();
    assert_eq!(not_themselves, ["matrices"]);
    Ok(())
}

#[test]
fn arithmetic_finds_she_and_finds_queen_only_without_the_inputs() -> Result<()> {
    let words = WordVectors::load()?;
    let mix = |a, b, c| (words.vector(a)? - words.vector(b)?)? + words.vector(c)?;
    assert_eq!(best(&words, &cosines(&words, &mix("he", "him", "her")?)?, 1)?, ["she"]);
    let royal = best(&words, &cosines(&words, &mix("king", "man", "woman")?)?, 2)?;
    assert_eq!(royal, ["king", "queen"]);
    assert_eq!(best(&words, &cosines(&words, &words.vector("king")?)?, 2)?, ["king", "queen"]);
    Ok(())
}

#[test]
fn the_sentence_decides_which_bank() -> Result<()> {
    let words = WordVectors::load()?;
    let cosine = |a: &Tensor, word| number(&cosine_similarity(a, &words.vector(word)?)?);
    let alone = words.vector("bank")?;
    assert!(cosine(&alone, "money")? > cosine(&alone, "river")?);
    let river = in_context(&words, "she sat by the river bank", "bank")?;
    assert!(cosine(&river, "river")? > cosine(&river, "money")?);
    let money = in_context(&words, "the bank lent money to the queen", "bank")?;
    assert!(cosine(&money, "money")? > 2. * cosine(&money, "river")?);
    Ok(())
}

/// The control: what the context does without attention.
#[test]
fn the_plain_average_goes_the_same_way_but_is_no_longer_bank() -> Result<()> {
    let words = WordVectors::load()?;
    let cosine = |a: &Tensor, word| number(&cosine_similarity(a, &words.vector(word)?)?);
    let (river, money) = ("she sat by the river bank", "the bank lent money to the queen");
    let average = |text| words.sentence(text)?.mean(0);
    assert!(cosine(&average(river)?, "river")? > cosine(&average(river)?, "money")?);
    assert!(cosine(&average(money)?, "money")? > cosine(&average(money)?, "river")?);
    for text in [river, money] {
        assert!(cosine(&in_context(&words, text, "bank")?, "bank")? > 0.9);
        assert!(cosine(&average(text)?, "bank")? < 0.6);
    }
    let x = words.sentence(river)?;
    let (_, weights) = soft_lookup(&x, &x, &x)?;
    assert!(number(&weights.i((5, 4))?)? < 1. / 6.);
    Ok(())
}

/// The other control: the word's own weight without a choice among the others.
#[test]
fn the_choice_among_the_others_takes_bank_further() -> Result<()> {
    let words = WordVectors::load()?;
    for (text, nearer, other) in [
        ("she sat by the river bank", "river", "money"),
        ("the bank lent money to the queen", "money", "river"),
    ] {
        let x = words.sentence(text)?;
        let n = x.dim(0)? as f64;
        let at = text.split(' ').position(|word| word == "bank").unwrap();
        let (output, weights) = soft_lookup(&x, &x, &x)?;
        let own = f64::from(number(&weights.i((at, at))?)?);
        let others = (((x.mean(0)? * n)? - x.i(at)?)? / (n - 1.))?;
        let equal = ((x.i(at)? * own)? + (others * (1. - own))?)?;
        let lead = |vector: &Tensor| -> Result<f32> {
            let cosine = |word| number(&cosine_similarity(vector, &words.vector(word)?)?);
            Ok(cosine(nearer)? - cosine(other)?)
        };
        assert!(lead(&output.i(at)?)? > lead(&equal)?);
    }
    Ok(())
}

#[test]
fn order_does_not_matter_and_plain_scores_are_nearly_flat() -> Result<()> {
    let words = WordVectors::load()?;
    let one = in_context(&words, "the dog ran to the man", "dog")?;
    let two = in_context(&words, "the man ran to the dog", "dog")?;
    assert!(number(&(one - two)?.abs()?.max(0)?)? < 1e-6);

    let all = scores(words.vectors(), words.vectors())?;
    let weights = naive_softmax(&all)?;
    let entropy = (&weights * weights.log()?)?.sum(D::Minus1)?.neg()?;
    assert!(number(&entropy.min(0)?)?.exp() > 110.);
    Ok(())
}

#[test]
fn it_attends_to_words_of_its_own_kind_and_not_to_what_it_stands_for() -> Result<()> {
    let words = WordVectors::load()?;
    let text = "the animal did not cross the street because it was too tired";
    let x = words.sentence(text)?;
    let (_, weights) = soft_lookup(&x, &x, &x)?;
    let names: Vec<_> = text.split(' ').collect();
    let top: Vec<_> = top_k(&weights.i(8)?, 4)?.into_iter().map(|at| names[at]).collect();
    assert_eq!(top, ["it", "the", "the", "was"]);
    assert!(number(&weights.i((8, 1))?)? < 1. / 12.);
    Ok(())
}
