//! `cargo run -p transformer`: a model learns to copy, with norms before and after its sublayers.

use candle_core::Result;
use std::{fs, path::Path};
use transformer::{
    NormOrder, diagrams, plots,
    single::single_threaded_candle,
    tasks::{END, Task, draw},
    training::{CodePath, Settings, Trainer, exact_match, write},
};

const LENGTH: usize = 10;
const FOLDER: &str = "target/figures/05-transformer";

fn main() -> Result<()> {
    single_threaded_candle();
    fs::create_dir_all(FOLDER)?;
    diagrams::encoder_decoder()?.save(Path::new(FOLDER).join("model.svg"))?;
    println!(
        "Copy sequences of {LENGTH} tokens. Two layers, 64 numbers per token, 4 heads.\n"
    );
    println!("norm   step   loss  accuracy  exact match  seconds");
    let runs = [train(NormOrder::Pre)?, train(NormOrder::Post)?];
    let [pre, post] = runs.each_ref().map(|trainer| &trainer.history().losses[..]);
    let figure = plots::losses(
        "Learning to copy",
        &[("pre-norm", pre), ("post-norm", post)],
        5,
    )?;
    figure.save(Path::new(FOLDER).join("copy.svg"))?;
    example(&runs[0])?;
    println!("\nFigures: {FOLDER}");
    Ok(())
}

fn train(order: NormOrder) -> Result<Trainer> {
    let settings =
        Settings::recipe(Task::Copy, LENGTH..=LENGTH, order, CodePath::Readable);
    let steps = settings.steps;
    let mut trainer = Trainer::new(settings)?;
    for step in 1..=steps {
        trainer.step()?;
        if step == 1 || step % 50 == 0 {
            let history = trainer.history();
            let (loss, accuracy) =
                (history.losses[step - 1], history.accuracies[step - 1]);
            print!("{order:<4} {step:>6} {loss:>6.3} {:>7.1} %", accuracy * 100.);
            if step == steps {
                let right = exact_match(&trainer.model()?, trainer.settings(), 1000)?;
                print!("  {:>9.1} % {:>8.1}", right * 100., history.seconds);
            }
            println!();
        }
    }
    Ok(trainer)
}

/// A sequence that the model has not seen, and what it writes for it.
fn example(trainer: &Trainer) -> Result<()> {
    let batch = draw(Task::Copy, 1, LENGTH..=LENGTH, 7)?;
    let written =
        write(&trainer.model()?, trainer.settings(), &batch.source, LENGTH + 1)?;
    println!("\nsource  {:?}", batch.source.flatten_all()?.to_vec1::<u32>()?);
    println!(
        "written {:?}; {END} is the end",
        written.flatten_all()?.to_vec1::<u32>()?
    );
    Ok(())
}
