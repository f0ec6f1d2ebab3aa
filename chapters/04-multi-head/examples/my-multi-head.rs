//! Week 4's picture, computed with your code: two heads that learn to look at two tokens.

use candle_core::{DType, Device};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, loss::mse};
use multi_head::{
    MultiHeadConfig,
    exercise::MultiHeadAttention,
    plots,
    retrieval::{EMBED_DIM, SEQ, draw},
    weights::seeded_weights,
};
use std::error::Error;

const STEPS: u64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let config = MultiHeadConfig::new(EMBED_DIM, 2);
    let vars = seeded_weights(&config, 1)?;
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layer = MultiHeadAttention::new(&config, vb)?;
    let params = ParamsAdamW { lr: 0.02, weight_decay: 0., ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vars.all_vars(), params)?;
    for step in 0..STEPS {
        let batch = draw(64, 1001 + step)?;
        let (query, key, value) = (&batch.query, &batch.key, &batch.value);
        let (output, _) = layer.forward(query, key, value, None, false, true)?;
        optimizer.backward_step(&mse(&output, &batch.target)?)?;
    }
    let test = draw(1, 0)?;
    let (_, weights) =
        layer.forward(&test.query, &test.key, &test.value, None, true, false)?;
    let weights =
        weights.ok_or("your layer was asked for its weights, and gave none")?.get(0)?;
    let [red, blue] = test.marks[0];
    let mut names = ["·"; SEQ];
    (names[red], names[blue]) = ("red", "blue");
    let figure =
        plots::heads("Where your heads look", &weights, "query", &names.join(" "))?;
    println!(
        "Your layer after {STEPS} steps of learning to return two payloads: each head has found one:"
    );
    println!("{}", figure.save_as("04-multi-head/mine.svg")?.display());
    Ok(())
}
