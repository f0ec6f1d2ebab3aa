//! Week 2's picture, computed with your code: what the scale does to the weights.

use candle_core::Tensor;
use dot_products::solution::scores;
use figures::Lines;
use scaling::exercise::{entropy, softmax};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mean_entropy = |logits: &Tensor| entropy(&softmax(logits)?)?.mean_all()?.to_scalar::<f32>();
    let (mut plain, mut scaled) = (vec![], vec![]);
    for dim in [4, 8, 16, 32, 64, 128, 256, 512, 1024] {
        let (query, key) = (seeded::normal(1, (200, dim))?, seeded::normal(2, (64, dim))?);
        let logits = scores(&query, &key)?; // (200, 64)
        plain.push((dim, mean_entropy(&logits)?));
        scaled.push((dim, mean_entropy(&(logits / (dim as f64).sqrt())?)?));
    }
    let figure = Lines::new("Your softmax over 64 keys")
        .x("head_dim d")
        .y("entropy of the weights (nats)")
        .log2_x()
        .line("q·k / √d", &scaled)
        .line("q·k", &plain)
        .draw()?;
    println!(
        "Your softmax and your entropy: divided by √d, the weights stay as soft as they were:"
    );
    println!("{}", figure.save_as("02-scaling/mine.svg")?.display());
    Ok(())
}
