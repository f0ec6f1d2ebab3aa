//! `cargo run -p dot-products`: looks words up by similarity, hard and soft, and draws it.

use candle_core::{IndexOp, Result, Tensor};
use dot_products::{
    WordVectors, diagrams, plots,
    solution::{cosine_similarity, scores, soft_lookup, top_k},
};
use std::{error::Error, fs, path::Path};

const GROUPS: &str = "cat cats kitten dog king queen river bank money";

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let words = WordVectors::load()?;
    println!("The nearest words by cosine, among {}:", words.words().len());
    for word in ["cat", "king", "paris", "five"] {
        let cosines = cosines(&words, &words.vector(word)?)?;
        println!("{word:>6}: {}", named(&words, &cosines, 5)?.join(", "));
    }

    println!(
        "\nA soft lookup of a sentence in itself gives \"bank\" a new vector; the control is the"
    );
    println!("plain average of the sentence, in which every word counts the same. Cosines with");
    println!("{:>34}  river  money  bank", "");
    print_meaning(&words, "alone", &words.vector("bank")?)?;
    let folder = Path::new("target/figures/01-dot-products");
    fs::create_dir_all(folder)?;
    for (text, file) in [
        ("she sat by the river bank", "river.svg"),
        ("the bank lent money to the queen", "money.svg"),
    ] {
        let x = words.sentence(text)?; // (words, 384)
        let (output, weights) = soft_lookup(&x, &x, &x)?;
        let bank = text.split(' ').position(|word| word == "bank").unwrap_or_default();
        print_meaning(&words, text, &output.i(bank)?)?;
        print_meaning(&words, "plain average", &x.mean(0)?)?;
        plots::word_map("Who attends to whom", text, &weights)?.save(folder.join(file))?;
    }
    let x = words.sentence(GROUPS)?;
    plots::word_map("Dot products of nine words", GROUPS, &scores(&x, &x)?)?
        .save(folder.join("scores.svg"))?;
    diagrams::attention()?.save(folder.join("attention.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

/// The cosine of one vector with every word's, `(120)`.
fn cosines(words: &WordVectors, vector: &Tensor) -> Result<Tensor> {
    cosine_similarity(&vector.broadcast_as(words.vectors().shape())?, words.vectors())
}

/// The `k` words with the highest scores, with their scores; the first, the word itself, is left out.
fn named(words: &WordVectors, scores: &Tensor, k: usize) -> Result<Vec<String>> {
    let values = scores.to_vec1::<f32>()?;
    let best = top_k(scores, k + 1)?;
    Ok(best.iter().skip(1).map(|&at| format!("{} {:.2}", words.words()[at], values[at])).collect())
}

fn print_meaning(words: &WordVectors, text: &str, bank: &Tensor) -> Result<()> {
    let cosine = |word| cosine_similarity(bank, &words.vector(word)?)?.to_scalar::<f32>();
    print!("{text:>34}: {:.3}  {:.3}  ", cosine("river")?, cosine("money")?);
    println!("{:.3}", cosine("bank")?);
    Ok(())
}
