//! Week 2's picture, computed with your code: how many keys take part, with the scale and without.

use candle_core::{Result, Tensor};
use dot_products::solution::scores;
use figures::Lines;
use scaling::exercise::{entropy, softmax};
use std::error::Error;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let keys = |logits: &Tensor| -> Result<f32> {
        Ok(entropy(&softmax(logits)?)?.mean_all()?.to_scalar::<f32>()?.exp())
    };
    let (mut plain, mut scaled, mut all) = (vec![], vec![], vec![]);
    for dim in [4, 8, 16, 32, 64, 128, 256, 512, 1024] {
        let (query, key) = (seeded::normal(1, (200, dim))?, seeded::normal(2, (64, dim))?);
        let logits = scores(&query, &key)?; // (200, 64)
        plain.push((dim, keys(&logits)?));
        scaled.push((dim, keys(&(logits / (dim as f64).sqrt())?)?));
        all.push((dim, 64));
    }
    let figure = Lines::new("Your softmax: how many of 64 keys take part")
        .x("head_dim d")
        .y("keys that take part, e^entropy")
        .log2_x()
        .log2_y()
        .line("q·k / √d", &scaled)
        .line("q·k", &plain)
        .theory("64 equal keys", &all)
        .draw()?;
    println!(
        "Your softmax and your entropy: divided by √d, the weights stay as soft as they were:"
    );
    println!("{}", figure.save_as("02-scaling/mine.svg")?.display());
    Ok(())
}
