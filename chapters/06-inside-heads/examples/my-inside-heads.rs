//! Week 6's picture, computed with your code: what your scores say of four heads that learned to work together.

use figures::Bars;
use inside_heads::{
    exercise::{induction_score, previous_token_score},
    induction::{
        data::PERIOD,
        probe::{name, test_sequences},
        train,
    },
};
use std::error::Error;

const STEPS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let model = train(2, STEPS, 1)?.model;
    let maps = model.forward(&test_sequences()?, &[])?.maps;
    let mut bars =
        Bars::new("What your scores say of four heads").x("score").decimals(2);
    bars = bars.names(["previous token", "induction"]);
    for (layer, head) in model.heads() {
        // The first block is what the second one looks up.
        let first = maps[layer].narrow(2, 0, PERIOD)?.narrow(3, 0, PERIOD)?;
        let scores =
            [previous_token_score(&first)?, induction_score(&maps[layer], PERIOD)?];
        let [previous, induction] =
            scores.map(|scores| scores.get(head)?.to_scalar::<f32>());
        bars = bars.group(name((layer, head)), &[previous?, induction?]);
    }
    println!(
        "Your scores, on a model after {STEPS} steps: one head looks back, a later one finds what came next:"
    );
    println!("{}", bars.draw()?.save_as("06-inside-heads/mine.svg")?.display());
    Ok(())
}
