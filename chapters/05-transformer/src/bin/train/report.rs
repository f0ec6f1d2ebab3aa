//! What came out of a training.

use crate::places::shown;
use candle_core::{Error, Result};
use indicatif::HumanCount;
use options::train::Options;
use serde::Serialize;
use std::{fs, path::Path, time::Instant};
use transformer::{
    plots,
    reason::reason,
    tasks::{END, draw},
    training::{Settings, Trainer, exact_match, files, write},
};

/// Fresh sequences that the trained model is tried on.
const HELD_OUT: usize = 1000;

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    settings: &'a Settings,
    /// Of the steps; without evaluation.
    seconds: f64,
    steps: usize,
    target_tokens_per_second: f64,
    final_loss: Option<f32>,
    /// The share of `held_out` fresh sequences.
    exact_match: f64,
    held_out: usize,
    evaluation_seconds: f64,
    device: &'static str,
    threads: usize,
}

/// Tries the model on fresh sequences, writes figure and JSON, and prints it all; `saved` is the checkpoint, if there is one.
/// What can't be written is told when all else is.
pub fn finish(
    trainer: &Trainer,
    options: &Options,
    saved: Option<&Path>,
    curve: &Path,
) -> Result<()> {
    let (settings, history) = (trainer.settings(), trainer.history());
    let start = Instant::now();
    let report = Report {
        settings,
        seconds: history.seconds,
        steps: trainer.steps(),
        target_tokens_per_second: history.tokens as f64 / history.seconds,
        final_loss: history.losses.last().copied(),
        exact_match: exact_match(&trainer.model()?, settings, HELD_OUT)?,
        held_out: HELD_OUT,
        evaluation_seconds: start.elapsed().as_secs_f64(),
        device: "cpu",
        threads: settings.threads,
    };
    println!(
        "Trained: {} steps in {:.1} s, {} target tokens per second, last loss {:.4}",
        report.steps,
        report.seconds,
        HumanCount(report.target_tokens_per_second as u64),
        report.final_loss.unwrap_or(f32::NAN)
    );
    println!(
        "Exact match: {:.1} % of {} newly drawn sequences, written token by token ({:.1} s)",
        report.exact_match * 100.,
        HumanCount(HELD_OUT as u64),
        report.evaluation_seconds
    );
    println!("For example: {}", example(trainer)?);
    if let Some(file) = saved {
        println!("Checkpoint: {}", shown(file));
    }
    let mut failed = Vec::new();
    match figure(trainer, curve) {
        Ok(()) => println!("Loss curve: {}", shown(curve)),
        Err(error) => failed.push(format!(
            "can't write the loss curve `{}`: {}",
            shown(curve),
            reason(&error)
        )),
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report).map_err(Error::wrap)? + "\n";
        // Earlier results stay until these are complete.
        match files::replace(file, text.as_bytes()) {
            Ok(()) => println!("JSON: {}", shown(file)),
            Err(error) => failed.push(format!(
                "can't write `{}`: {error}; it would hold\n{text}",
                file.display()
            )),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::Msg(failed.join("\n"))),
    }
}

/// A sequence and what the model writes for it.
fn example(trainer: &Trainer) -> Result<String> {
    let settings = trainer.settings();
    let longest = *settings.lengths.end();
    let batch = draw(settings.task, 1, longest..=longest, settings.seed)?;
    let written = write(&trainer.model()?, settings, &batch.source, longest + 1)?;
    let text = |row: Vec<u32>| {
        let symbols = row.iter().take_while(|&&token| token != END);
        symbols.map(u32::to_string).collect::<Vec<_>>().join(" ")
    };
    let row = |tokens: &candle_core::Tensor| tokens.flatten_all()?.to_vec1().map(text);
    Ok(format!("{} → {}", row(&batch.source)?, row(&written)?))
}

fn figure(trainer: &Trainer, file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let settings = trainer.settings();
    let title =
        format!("Loss on the task {}, {}-norm", settings.task, settings.model.order);
    let losses = &trainer.history().losses[..];
    plots::losses(&title, &[("training", losses)], losses.len().div_ceil(100))?
        .save(file)?;
    Ok(())
}
