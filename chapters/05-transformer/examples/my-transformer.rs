//! Week 5's picture, computed with your code: a Transformer made of it learns to copy.

use std::error::Error;
use transformer::{
    NormOrder, plots,
    single::single_threaded_candle,
    tasks::Task,
    training::{CodePath, Settings, Trainer},
};

const STEPS: usize = 120;

fn main() -> Result<(), Box<dyn Error>> {
    single_threaded_candle();
    let settings =
        Settings::recipe(Task::Copy, 10..=10, NormOrder::Pre, CodePath::Mine);
    let mut trainer = Trainer::new(settings)?;
    for _ in 0..STEPS {
        trainer.step()?;
    }
    let losses = [("your code", &trainer.history().losses[..])];
    let figure = plots::losses("Your Transformer learns to copy", &losses, 5)?;
    println!(
        "Your layers, trained for {STEPS} steps (`cargo study train --mine` goes on to the end):"
    );
    println!("{}", figure.save_as("05-transformer/mine.svg")?.display());
    Ok(())
}
