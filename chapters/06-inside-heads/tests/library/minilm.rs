//! The pretrained encoder: equal to PyTorch's, and what its sentence vectors are good for.
//!
//! The tests that need the model's weights are skipped, and say so, when they are not there; with `MINILM_REQUIRED=1`
//! they fail. `cargo study fetch minilm` gets the weights.

use candle_core::{D, DType, Device, IndexOp, Result, Tensor};
use candle_nn::VarBuilder;
use checks::harness::fixtures::Fixtures;
use inside_heads::{
    kinds::{self, Kind},
    minilm::{Bert, BertConfig, MiniLm},
    pronouns::{ablations, turn},
    sentences::{self, Relation, Sentence},
};
use std::{collections::HashMap, path::Path, sync::LazyLock};

const FIXTURES: &[u8] = include_bytes!("../../../../tests/fixtures/minilm.safetensors");

/// How far a number may be from PyTorch's: sums of 1536 products through six layers, numbers up to about 10.
const NEAR: f32 = 1e-4;

/// The sizes of the tiny model in the fixtures.
const TINY: BertConfig =
    BertConfig { vocab: 20, positions: 8, dim: 16, d_ff: 24, heads: 4, layers: 2 };

// The same in tests/fixtures/minilm.py.
const BATCH: [&str; 4] = [
    "A cat sat on the mat because it was tired.",
    "Rust!",
    "Self-attention is all you need.",
    "Le café déjà vu costs 3,50 €",
];

fn texts() -> Vec<String> {
    let long = format!("{} {}", "a".repeat(101), "a".repeat(100));
    [
        "",
        "unbelievably, the antidisestablishmentarians' co-operative re-tokenised it…",
        "ÀÉÎÕÜ Straße ŁÓDŹ naïve\tfaçade\n\nnew   line",
        "注意力 is 你需要的 - すべて 주의",
        "[CLS] a [MASK] b [SEP] [UNK] [cls]",
        "🙂 \u{200b}zero\u{a0}width \u{ad} soft e\u{301} ① ½ x² ﬁne",
        &long,
        "C++ & <b>HTML</b> #1 @home 50% $9.99 don't",
    ]
    .map(String::from)
    .into()
}

/// The model, once for all tests; none when it is not there and need not be.
fn model() -> Option<&'static MiniLm> {
    static MODEL: LazyLock<std::result::Result<MiniLm, String>> =
        LazyLock::new(|| MiniLm::fetched().map_err(|error| first_line(&error)));
    match &*MODEL {
        Ok(model) => Some(model),
        Err(why)
            if std::env::var_os("MINILM_REQUIRED").is_some_and(|set| set == "1") =>
        {
            panic!("MINILM_REQUIRED=1, but {why}")
        }
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

#[track_caller]
fn near(what: &str, got: &Tensor, expected: &Tensor) -> Result<()> {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    let apart = (got - expected)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    println!("{what}: at most {apart:e} apart");
    assert!(apart <= NEAR, "{what}: {apart} apart, {NEAR} allowed");
    Ok(())
}

/// The vectors of all real tokens, sentence after sentence: `(tokens, dim)`.
fn real_tokens(hidden: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let parts = lengths.iter().enumerate().map(|(at, &n)| hidden.i((at, ..n)));
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// The tiny model with the fixtures' weights.
fn tiny(config: BertConfig, fixtures: &Fixtures) -> Result<Bert> {
    let own = |(name, tensor): (String, Tensor)| {
        Some((name.strip_prefix("tiny.param.")?.to_string(), tensor))
    };
    let weights: HashMap<_, _> = fixtures.all().into_iter().filter_map(own).collect();
    Bert::new(&config, VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu))
}

#[test]
fn a_tiny_encoder_equals_pytorchs() -> Result<()> {
    let fixtures = Fixtures::read(FIXTURES)?;
    let bert = tiny(TINY, &fixtures)?;
    let (hidden, maps) =
        bert.forward(&fixtures.get("tiny.ids")?, &fixtures.get("tiny.mask")?)?;
    let lengths = [7, 4, 1];
    let expected = real_tokens(&fixtures.get("tiny.hidden")?, &lengths)?;
    near("hidden", &real_tokens(&hidden, &lengths)?, &expected)?;
    near("maps", &Tensor::stack(&maps, 0)?, &fixtures.get("tiny.maps")?)
}

#[test]
fn weights_that_do_not_fit_are_named() -> Result<()> {
    let fixtures = Fixtures::read(FIXTURES)?;
    let error =
        |config| first_line(&tiny(config, &fixtures).err().expect("does not fit"));
    let missing = error(BertConfig { layers: 3, ..TINY });
    assert!(missing.contains("encoder.layer.2.attention"), "{missing}");
    let wide = error(BertConfig { d_ff: 32, ..TINY });
    assert!(wide.contains("intermediate.dense"), "{wide}");
    Ok(())
}

#[test]
fn a_folder_without_the_model_says_what_to_type() {
    let error = |folder: &Path| {
        first_line(&MiniLm::load(folder).err().expect("no model there"))
    };
    let folder = std::env::temp_dir().join(format!("minilm-{}", std::process::id()));
    let none = error(&folder);
    assert!(
        none.ends_with(
            "model.safetensors: no such file; type `cargo study fetch minilm`"
        )
    );
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("model.safetensors"), FIXTURES).unwrap();
    assert!(error(&folder).contains("vocab.txt: no such file"));
    std::fs::write(folder.join("vocab.txt"), "[PAD]\n[UNK]\n").unwrap();
    let small = error(&folder);
    assert!(small.contains("(expected 231508 bytes; got 12)"), "{small}");
    assert!(
        small.contains("30522 different tokens; got 2; type `cargo study fetch"),
        "{small}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_padded_batch_equals_pytorchs() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let fixtures = Fixtures::read(FIXTURES)?;
    let encoded = model.encode(&BATCH)?;
    assert_eq!(
        encoded.mask.to_vec2::<u8>()?,
        fixtures.get("real.mask")?.to_vec2::<u8>()?
    );
    let lengths: Vec<usize> = encoded.tokens.iter().map(Vec::len).collect();
    near(
        "hidden",
        &real_tokens(&encoded.hidden, &lengths)?,
        &fixtures.get("real.hidden")?,
    )?;
    let maps = (0..6).map(|layer| encoded.map(0, layer)).collect::<Result<Vec<_>>>()?;
    near("maps", &Tensor::stack(&maps, 0)?, &fixtures.get("real.maps")?)?;
    near(
        "sentence vectors",
        &encoded.sentence_vectors()?,
        &fixtures.get("real.vectors")?,
    )
}

#[test]
fn texts_are_split_as_pytorchs_are() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let fixtures = Fixtures::read(FIXTURES)?;
    for (at, text) in texts().iter().enumerate() {
        let ids = fixtures.get(&format!("text.{at}"))?.to_vec1::<u32>()?;
        assert_eq!(model.ids(&[text])?, [ids], "{text}");
    }
    Ok(())
}

#[test]
fn tokens_know_their_words() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let encoded = model.encode(&["Transformers tokenise words"])?;
    assert_eq!(
        encoded.tokens,
        [["[CLS]", "transformers", "token", "##ise", "words", "[SEP]"]]
    );
    assert_eq!(encoded.words, [[None, Some(0), Some(1), Some(1), Some(2), None]]);
    Ok(())
}

#[test]
fn padding_changes_nothing() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let together = model.encode(&BATCH)?;
    for (at, sentence) in BATCH.iter().enumerate() {
        let alone = model.encode(&[sentence])?;
        let n = alone.tokens[0].len();
        near(sentence, &together.hidden.i((at, ..n))?, &alone.hidden.i(0)?)?;
        for layer in 0..6 {
            near("map", &together.map(at, layer)?, &alone.map(0, layer)?)?;
            let padding = together.maps[layer].i((at, .., .., n..))?;
            assert_eq!(padding.abs()?.sum_all()?.to_scalar::<f32>()?, 0.);
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_encoded_is_refused() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let error = |sentences: &[&str]| first_line(&model.encode(sentences).unwrap_err());
    assert_eq!(error(&[]), "sentences: expected at least one; got none");
    let long = "word ".repeat(511);
    assert_eq!(
        error(&["short", &long]),
        "sentence 1: expected at most 512 tokens; got 513"
    );
    assert_eq!(model.encode(&[""])?.tokens, [["[CLS]", "[SEP]"]]);
    let encoded = model.encode(&["one"])?;
    assert!(encoded.map(1, 0).is_err() && encoded.map(0, 6).is_err());
    Ok(())
}

#[test]
fn sentence_vectors_rank_pairs_by_meaning() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    // From the same in other words to nothing in common.
    let vectors = model.encode(&[
        "A man is playing a guitar on stage.",
        "Someone plays the guitar in front of an audience.",
        "A woman is listening to a violin concert.",
        "The recipe needs two eggs and some flour.",
    ])?;
    let vectors = vectors.sentence_vectors()?;
    let cosines = vectors.matmul(&vectors.t()?)?.i(0)?.to_vec1::<f32>()?;
    println!("cosines: {cosines:?}");
    assert!((cosines[0] - 1.).abs() < 1e-5);
    assert!(
        cosines[1] > cosines[2] + 0.1 && cosines[2] > cosines[3] + 0.1,
        "{cosines:?}"
    );

    // Shared words are not what makes it: the nearest to each question is its answer.
    let questions = model.encode(&[
        "How do I get my money back?",
        "When does the train to Berlin leave?",
        "What should I feed a puppy?",
    ])?;
    let answers = model.encode(&[
        "Young dogs need small meals of meat and grain, three times a day.",
        "Refunds are paid within two weeks of the return.",
        "Departures to the German capital are at nine and at noon.",
    ])?;
    let all =
        questions.sentence_vectors()?.matmul(&answers.sentence_vectors()?.t()?)?;
    assert_eq!(all.argmax(D::Minus1)?.to_vec1::<u32>()?, [1, 2, 0], "{all}");
    Ok(())
}

#[test]
fn heads_of_many_kinds_beat_position_alone() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let sentences = sentences::labelled()?;
    let texts: Vec<String> = sentences.iter().map(Sentence::text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scored = kinds::score(&model.encode(&texts)?, &sentences)?;
    println!("{}", kinds::table(&scored));
    // What the page says, with room for another CPU's rounding: kind, layer, head, and how far above the baseline.
    for (kind, layer, head, above) in [
        (Kind::Previous, 0, 2, 0.9),
        (Kind::Next, 1, 8, 0.5),
        (Kind::First, 4, 5, 0.75),
        (Kind::Stop, 3, 11, 0.35),
        (Kind::From(Relation::Determiner), 3, 1, 0.45),
        (Kind::To(Relation::Object), 3, 1, 0.2),
        (Kind::From(Relation::Pronoun), 1, 3, 0.45),
    ] {
        let one =
            scored.iter().find(|one| one.kind == kind).expect("all kinds are scored");
        assert_eq!((one.layer, one.head), (layer, head), "{kind}");
        assert!(
            one.score - one.baseline > above,
            "{kind}: {} {}",
            one.score,
            one.baseline
        );
    }
    // And what it has not: a head that looks at [SEP].
    let none =
        scored.iter().find(|one| one.kind == Kind::Separator).expect("all are scored");
    assert!(none.heads.iter().flatten().all(|&score| score < 0.2));
    Ok(())
}

/// The labelled sentences on which no head was chosen, and those that have no pronoun.
fn odd_and_plain() -> Result<(Vec<Sentence>, Vec<String>)> {
    let all = sentences::labelled()?;
    let plain =
        |one: &&Sentence| one.pairs.iter().all(|pair| pair.0 != Relation::Pronoun);
    let texts = all.iter().filter(plain).map(Sentence::text).collect();
    Ok((all.into_iter().skip(1).step_by(2).collect(), texts))
}

#[test]
fn a_covered_word_is_masked_and_no_other() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let text = "Transformers tokenise words";
    let encoded = model.encode_covered(text, &[None, Some(1), Some(2)])?;
    let whole = model.encode(&[text])?;
    assert_eq!(encoded.tokens[0], whole.tokens[0]);
    assert_eq!(encoded.tokens[1][2..4], ["[MASK]", "[MASK]"]);
    assert_eq!(encoded.tokens[2][4], "[MASK]");
    assert_eq!(encoded.words, vec![whole.words[0].clone(); 3]);
    near("the first one is whole", &encoded.hidden.i(0)?, &whole.hidden.i(0)?)?;
    // BERT knows [MASK] by its name, too.
    let named = model.encode(&["Transformers tokenise [MASK]"])?;
    near("a mask is a mask", &encoded.hidden.i(2)?, &named.hidden.i(0)?)?;
    let error = first_line(&model.encode_covered(text, &[Some(3)]).unwrap_err());
    assert_eq!(
        error,
        "covered: expected a word of the sentence, counted from 0; got 3"
    );
    assert!(model.encode_covered(text, &[]).is_err());
    Ok(())
}

#[test]
fn an_encoder_can_be_cut_off() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let whole = model.encode(&BATCH)?;
    let cut = model.first(2)?;
    assert_eq!(cut.config().layers, 2);
    let encoded = cut.encode(&BATCH)?;
    assert_eq!(encoded.maps.len(), 2);
    near("maps", &encoded.maps[1], &whole.maps[1])?;
    assert!(model.first(0)?.encode(&BATCH)?.maps.is_empty());
    let error = first_line(&model.first(7).err().expect("there are 6"));
    assert_eq!(error, "layers: expected at most 6; got 7");
    Ok(())
}

#[test]
fn a_head_that_is_off_carries_nothing() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let (odd, plain) = odd_and_plain()?;
    let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
    // Without any head, no token takes anything from another: nothing turns, whichever word is covered.
    let mut none = model.first(1)?;
    for head in 0..12 {
        none = none.without((0, head), &plain)?;
    }
    let nothing = turn(&none, &odd)?;
    assert!(nothing.own.abs() < 1e-6 && nothing.others.abs() < 1e-6, "{nothing:?}");
    // What comes before the head stays, what comes after does not.
    let (whole, off) =
        (model.encode(&BATCH)?, model.without((1, 3), &plain)?.encode(&BATCH)?);
    for layer in 0..2 {
        near("a map before", &off.maps[layer], &whole.maps[layer])?;
    }
    let apart = (&off.maps[2] - &whole.maps[2])?
        .abs()?
        .flatten_all()?
        .max(0)?
        .to_scalar::<f32>()?;
    assert!(apart > 1e-3, "{apart}");
    let error =
        |head| first_line(&model.without(head, &plain).err().expect("no such head"));
    assert_eq!(
        error((6, 0)),
        "head: expected a layer below 6 and a head below 12; got 6.0"
    );
    assert_eq!(
        error((0, 12)),
        "head: expected a layer below 6 and a head below 12; got 0.12"
    );
    assert!(model.without((0, 0), &[]).is_err());
    Ok(())
}

/// What the page says of head 1.3. The numbers are those of another implementation, NumPy in f64.
#[test]
fn the_pronoun_s_head_brings_its_noun() -> Result<()> {
    let Some(model) = model() else { return Ok(()) };
    let labelled = sentences::labelled()?;
    let (odd, _) = odd_and_plain()?;
    let near = |what, got: f64, expected: f64| {
        println!("{what}: {got:.4}");
        assert!((got - expected).abs() < 2e-4, "{what}: {got} for {expected}");
    };
    let early = ablations(&model.first(2)?, &labelled)?;
    near("own, two layers", early.whole.own, 0.0187);
    near("others, two layers", early.whole.others, 0.0075);
    near("own without 1.3", early.without((1, 3))?.own, 0.0041);
    near("others without 1.3", early.without((1, 3))?.others, 0.0062);
    near("own without any head", early.none.own, 0.);
    assert_eq!((early.whole.pronouns, early.without.len()), (9, 24));
    let ranked = early.ranked();
    assert_eq!(ranked[0].0, (1, 3));
    assert!(ranked[1].1.own > 0.9 * early.whole.own, "{ranked:?}");
    let late = turn(model, &odd)?;
    near("own, six layers", late.own, 0.2595);
    near("others, six layers", late.others, 0.1569);
    assert!(early.without((2, 0)).is_err());
    assert!(turn(model, &labelled[2..3]).is_err(), "no pronoun there");
    Ok(())
}
