//! `cargo run -p varlen`: what padding costs, and the six variants on one ragged batch.

use candle_core::Device;
use std::{error::Error, fs, path::Path};
use varlen::{
    batch::{Batch, log_normal_lengths},
    diagrams, plots, six,
    solution::{cu_seqlens, padding_waste},
    timing,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("target/figures/08-varlen");
    fs::create_dir_all(folder)?;
    let lengths = log_normal_lengths(1, 32)?;
    let (tokens, pairs) = padding_waste(&lengths);
    let (total, longest) = (lengths.iter().sum::<usize>(), lengths.iter().max().unwrap_or(&0));
    println!("32 sequences, {total} tokens, the longest {longest}. Padded to it,");
    println!(
        "{:.0} % of the tokens and {:.0} % of the pairs are waste.\n",
        100. * tokens,
        100. * pairs
    );

    let batch = Batch::new(1, &lengths, 4, 64)?;
    let [padded, one_by_one, packed] = timing::three_ways(&batch, 5)?;
    println!("Attention, 4 heads of 64, medians of 5:\n");
    println!("padded, with a mask {padded:>8.1} ms");
    println!("one by one          {one_by_one:>8.1} ms");
    println!("packed              {packed:>8.1} ms\n");

    println!("The six variants on the same batch:\n");
    print!("{}", six::table(&batch, 5)?);

    diagrams::padded_and_packed()?.save(folder.join("packed.svg"))?;
    diagrams::unpad_and_pad()?.save(folder.join("unpad.svg"))?;
    plots::padding("A padded batch", &lengths)?.save(folder.join("padding.svg"))?;
    plots::documents(&cu_seqlens(&[2, 3, 4], &Device::Cpu)?)?.save(folder.join("documents.svg"))?;
    plots::time_lines("Two threads share five sequences", &plots::PLANS)?
        .save(folder.join("threads.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}
