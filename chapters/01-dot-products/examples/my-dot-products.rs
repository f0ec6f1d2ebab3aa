//! Week 1's picture, computed with your code: who attends to whom in a sentence.

use dot_products::{WordVectors, exercise::soft_lookup, plots};
use std::error::Error;

const SENTENCE: &str = "she sat by the river bank";

fn main() -> Result<(), Box<dyn Error>> {
    let x = WordVectors::load()?.sentence(SENTENCE)?; // (words, 384)
    let (_, weights) = soft_lookup(&x, &x, &x)?;
    let figure = plots::word_map("Who attends to whom, by your lookup", SENTENCE, &weights)?;
    println!(
        "Your soft lookup of a sentence in itself: each row shows how one word divides its attention."
    );
    println!("{}", figure.save_as("01-dot-products/mine.svg")?.display());
    Ok(())
}
