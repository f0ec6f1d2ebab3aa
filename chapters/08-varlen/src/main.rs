//! `cargo run -p varlen`: what padding costs, and the six variants on one ragged batch.

use candle_core::Device;
use std::{error::Error, fs, path::Path};
use varlen::{
    batch::{Batch, lengths},
    plots, six,
    solution::{cu_seqlens, padding_waste},
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("target/figures/08-varlen");
    fs::create_dir_all(folder)?;
    let lengths = lengths(1, 32)?;
    let (tokens, pairs) = padding_waste(&lengths);
    let (total, longest) = (lengths.iter().sum::<usize>(), lengths.iter().max().unwrap_or(&0));
    println!("32 sequences, {total} tokens, the longest {longest}. Padded to it,");
    println!(
        "{:.0} % of the tokens and {:.0} % of the pairs are waste.\n",
        100. * tokens,
        100. * pairs
    );

    println!("The six variants, 4 heads of 64, medians of 5:\n");
    print!("{}", six::table(&Batch::new(1, &lengths, 4, 64)?, 5)?);

    plots::padding("A padded batch", &lengths)?.save(folder.join("padding.svg"))?;
    plots::documents(&cu_seqlens(&[2, 3, 4], &Device::Cpu)?)?.save(folder.join("documents.svg"))?;
    plots::time_lines("Two threads share five sequences", &plots::PLANS)?
        .save(folder.join("threads.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}
