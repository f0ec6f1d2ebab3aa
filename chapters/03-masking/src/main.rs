//! `cargo run -p masking`: masks in both alignments and all conventions, and a sentence that may not read ahead.

use candle_core::{D, DType, Device, Result, Tensor};
use dot_products::{solution::scores, words::WordVectors};
use figures::Figure;
use masking::{
    Align, Convention, diagrams, plots,
    solution::{
        causal_mask, from_keep, leaks_future, masked_attention, masked_softmax,
    },
};
use std::{error::Error, fs, path::Path};

const SENTENCE: &str = "the cat sat on the mat because it was tired";

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let folder = Path::new("target/figures/03-masking");
    fs::create_dir_all(folder)?;
    let keep = causal_mask(3, 3, Align::TopLeft, &Device::Cpu)?;
    println!("A causal mask of three tokens, one row per query, in each convention:");
    for convention in
        [Convention::OneAttends, Convention::OneHides, Convention::Additive]
    {
        let rows =
            from_keep(&keep, convention)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        println!("{:>12}  {rows:?}", format!("{convention:?}"));
    }
    println!("\nA row with nothing to see, scores 1 and 2:");
    let scores = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
    for (what, hidden) in [("-inf", f32::NEG_INFINITY), ("-1e9", -1e9)] {
        let logits = (&scores + f64::from(hidden))?;
        println!(
            "{what:>12}  {:?}",
            scaling::solution::softmax(&logits)?.to_vec2::<f32>()?
        );
    }
    let nothing = Tensor::zeros((1, 2), DType::U8, &Device::Cpu)?;
    println!(
        "{:>12}  {:?}",
        "masked",
        masked_softmax(&scores, Some(&nothing))?.to_vec2::<f32>()?
    );
    diagrams::masked_attention()?.save(folder.join("attention.svg"))?;
    plots::alignments(2, 4)?.save(folder.join("wide.svg"))?;
    plots::alignments(4, 2)?.save(folder.join("tall.svg"))?;
    sentence()?.save(folder.join("sentence.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

/// The sentence's attention to itself, without a mask and under a causal one.
fn sentence() -> Result<Figure> {
    let x = WordVectors::load()?.sentence(SENTENCE)?; // (words, 384)
    let keep = causal_mask(x.dim(0)?, x.dim(0)?, Align::TopLeft, x.device())?;
    println!("\n\"{SENTENCE}\": does a word's output depend on later words?");
    for (what, mask) in [("no mask", None), ("causal", Some(keep.clone()))] {
        let attend = |x: &Tensor| Ok(masked_attention(x, x, x, mask.as_ref())?.0);
        println!(
            "{what:>12}  {}",
            if leaks_future(&attend, &x)? { "yes" } else { "no" }
        );
    }
    let unit = x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)?;
    let scores = (scores(&unit, &unit)? / 0.3)?; // cosines, temperature 0.3
    let (before, after) =
        (masked_softmax(&scores, None)?, masked_softmax(&scores, Some(&keep))?);
    plots::weights(
        "A sentence before and after masking",
        SENTENCE,
        &[("no mask", &before), ("causal", &after)],
    )
}
