//! Scores of heads that were made to do one thing.

use super::*;
use candle_core::{DType, Device, Tensor};

/// `[CLS]`, four words of which the second is split in two, and `[SEP]`.
const TOKENS: [&str; 7] = ["[CLS]", "the", "pup", "##py", "the", ".", "[SEP]"];
const WORDS: [Option<usize>; 7] =
    [None, Some(0), Some(1), Some(1), Some(2), Some(3), None];

/// Where each token looks, for each of six heads: before, behind, at `[SEP]`, at all alike, from "the" to the second
/// piece of the puppy, and everywhere at "the" but more at the puppy's two pieces together.
fn rows() -> Vec<Vec<Vec<f32>>> {
    let at = |key: usize| {
        (0..7).map(|k| f32::from(u8::from(k == key))).collect::<Vec<f32>>()
    };
    let head = |key: &dyn Fn(usize) -> Vec<f32>| (0..7).map(key).collect::<Vec<_>>();
    vec![
        head(&|q| at(q.saturating_sub(1))),
        head(&|q| at((q + 1).min(6))),
        head(&|_| at(6)),
        head(&|_| vec![1. / 7.; 7]),
        head(&|q| if q == 1 { at(3) } else { at(0) }),
        head(&|_| vec![0., 0.1, 0.25, 0.25, 0.4, 0., 0.]),
    ]
}

/// The same sentence twice: one to choose heads on, one to measure.
fn scored() -> Result<Vec<Scored>> {
    let words = ["the", "puppy", "the", "."].map(String::from).to_vec();
    let relations = [
        Relation::Determiner,
        Relation::Adjective,
        Relation::Subject,
        Relation::Object,
        Relation::Preposition,
        Relation::Pronoun,
    ];
    let pairs = relations.map(|relation| (relation, 0, 1)).to_vec();
    let sentence = Sentence { words, pairs };
    score(&encoded(rows())?, &[sentence.clone(), sentence])
}

fn encoded(rows: Vec<Vec<Vec<f32>>>) -> Result<Encoded> {
    let map = Tensor::new(rows, &Device::Cpu)?.unsqueeze(0)?; // (1, heads, 7, 7)
    Ok(Encoded {
        tokens: vec![TOKENS.map(String::from).to_vec(); 2],
        words: vec![WORDS.to_vec(); 2],
        hidden: Tensor::zeros((2, 7, 1), DType::F32, &Device::Cpu)?,
        maps: vec![Tensor::cat(&[&map, &map], 0)?],
        mask: Tensor::ones((2, 7), DType::U8, &Device::Cpu)?,
    })
}

#[track_caller]
fn expect(
    scored: &[Scored],
    kind: Kind,
    head: usize,
    score: f64,
    baseline: f64,
    count: usize,
) {
    let Some(one) = scored.iter().find(|one| one.kind == kind) else {
        panic!("no {kind}")
    };
    assert_eq!((one.layer, one.head, one.count), (0, head, count), "{kind}");
    assert!((one.score - score).abs() < 1e-6, "{kind}: {} for {score}", one.score);
    assert!(
        (one.baseline - baseline).abs() < 1e-6,
        "{kind}: {} for {baseline}",
        one.baseline
    );
}

#[test]
fn each_head_is_found() -> Result<()> {
    let scored = scored()?;
    // Five tokens stand between the ends; four of them have one before them that is no end.
    expect(&scored, Kind::Previous, 0, 1., 1. / 7., 4);
    expect(&scored, Kind::Next, 1, 1., 1. / 7., 4);
    expect(&scored, Kind::Separator, 2, 1., 1. / 7., 5);
    // The last head gives 0.4 to the other "the" from the first, 0.1 from the second.
    expect(&scored, Kind::Alike, 5, 0.25, 1. / 7., 2);
    Ok(())
}

#[test]
fn pieces_of_a_word_count_together() -> Result<()> {
    let scored = scored()?;
    // The last head: 0.25 + 0.25 is more than the 0.4 of the other "the". Looking at all tokens alike, two pieces are
    // more than one. A single pair always has the most frequent distance.
    let one = scored.iter().find(|one| one.kind == Kind::From(Relation::Determiner));
    let one = one.expect("all kinds are scored");
    assert_eq!(one.heads, [[0., 1., 0., 1., 1., 1.]]);
    assert_eq!((one.baseline, one.count), (1., 1));
    assert!(
        (one.others - 0.6).abs() < 1e-12,
        "three of the five others: {}",
        one.others
    );
    Ok(())
}

#[test]
fn a_map_made_of_distances_is_guessed_by_them() -> Result<()> {
    let scored = scored()?;
    let one = scored
        .iter()
        .find(|one| one.kind == Kind::Position)
        .expect("all kinds are scored");
    let heads = &one.heads[0];
    assert!((heads[3] - 1.).abs() < 1e-6, "looking at all alike: {heads:?}");
    assert!(heads[0] > 0.75 && heads[1] > 0.75 && heads[5] < 0.75, "{heads:?}");
    Ok(())
}

#[test]
fn what_does_not_belong_together_is_refused() -> Result<()> {
    let encoded = encoded(rows())?;
    let sentence = |text: &str| Sentence {
        words: text.split(' ').map(String::from).collect(),
        pairs: vec![(Relation::Object, 0, 1)],
    };
    let error =
        |sentences: &[Sentence]| score(&encoded, sentences).unwrap_err().to_string();
    assert!(
        error(&[sentence("the puppy the .")])
            .contains("expected the 2 that were encoded")
    );
    let short = sentence("the puppy .");
    assert!(
        error(&[short.clone(), short])
            .contains("as the tokenizer splits them, 4; got 3")
    );
    let no_pronoun = sentence("the puppy the .");
    assert!(
        error(&[no_pronoun.clone(), no_pronoun]).contains("expected a pair for From")
    );
    Ok(())
}
