//! Week 3's picture, computed with your code: a sentence's attention before and after masking.

use candle_core::D;
use dot_products::{solution::scores, words::WordVectors};
use masking::{
    Align,
    exercise::{causal_mask, masked_softmax},
    plots,
};
use std::error::Error;

const SENTENCE: &str = "the cat sat on the mat because it was tired";

fn main() -> Result<(), Box<dyn Error>> {
    let x = WordVectors::load()?.sentence(SENTENCE)?; // (words, 384)
    let unit = x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)?;
    let scores = (scores(&unit, &unit)? / 0.3)?; // cosines, temperature 0.3
    let keep = causal_mask(x.dim(0)?, x.dim(0)?, Align::TopLeft, x.device())?;
    let (before, after) =
        (masked_softmax(&scores, None)?, masked_softmax(&scores, Some(&keep))?);
    // A weight of 0 and a small one look alike: draw what your mask hides as −∞.
    let never = (after.zeros_like()? + f64::NEG_INFINITY)?;
    let after = after.eq(0.)?.where_cond(&never, &after)?;
    let panels = [("no mask", &before), ("your mask, −∞ where it hides", &after)];
    let figure =
        plots::weights("A sentence before and after your mask", SENTENCE, &panels)?;
    println!(
        "Your mask and your softmax: no word looks at a later one (grey), and each row still sums to 1:"
    );
    println!("{}", figure.save_as("03-masking/mine.svg")?.display());
    Ok(())
}
