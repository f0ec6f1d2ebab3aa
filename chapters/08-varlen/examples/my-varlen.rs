//! Week 8's picture, computed with your code: who may attend to whom in a packed batch.

use candle_core::Device;
use figures::Heatmap;
use std::error::Error;
use varlen::exercise::{cu_seqlens, document_mask, max_seqlen, padding_waste};

const LENGTHS: [usize; 4] = [2, 5, 3, 6];

fn main() -> Result<(), Box<dyn Error>> {
    let bounds = cu_seqlens(&LENGTHS, &Device::Cpu)?;
    let total: usize = LENGTHS.iter().sum();
    let borders = bounds.to_vec1::<u32>()?;
    let label = |at: u32| if borders.contains(&at) { at.to_string() } else { String::new() };
    let labels: Vec<String> = (0..total as u32).map(label).collect();
    let values = |causal| document_mask(&bounds, causal)?.flatten_all()?.to_vec1::<u8>();
    let panels = [("bidirectional", values(false)?), ("causal", values(true)?)];
    let figure = Heatmap::grid("Four sequences, packed by your code", total, total, panels)
        .mask()
        .row_labels(labels.clone())
        .col_labels(labels)
        .x(format!("key; cu_seqlens are {borders:?}"))
        .y("query")
        .draw()?;
    let (_, pairs) = padding_waste(&LENGTHS);
    println!(
        "Your document masks: a block for each sequence, the longest of {} tokens. Padded, {:.0} % of the pairs would be waste:",
        max_seqlen(&bounds)?,
        100. * pairs
    );
    println!("{}", figure.save_as("08-varlen/mine.svg")?.display());
    Ok(())
}
