//! `cargo study train`: week 5's Transformer, trained by the program `train` of its package.

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use options::train::Options;
use workbook::Chapter;

use crate::cargo::{cargo, compile};
use crate::checks::{self, Errors, Outcome};
use crate::context::Context;
use crate::fault::Fault;
use crate::interrupt;
use crate::names;
use crate::process;
use crate::report::State;
use crate::ui::{Stream, bad, open};
use crate::weeks::{Week, state_of, week};

/// Train week 5's Transformer, and see how many fresh sequences it gets right
#[derive(Args)]
#[command(after_help = "Examples: cargo study train
          cargo study train --task sort --norm post
          cargo study train --lengths 1..=20 --json result.json
          cargo study train --mine
          cargo study train --resume

Ctrl-C saves, and says how to continue. Nothing is written over: before the first save, an earlier training's checkpoint is
kept as NAME.backup-1.safetensors, and a second training at the same time needs another --checkpoint. `--mine` needs every exercise that the model is built from to work (✓).")]
pub struct Train {
    #[command(flatten)]
    options: Options,
}

/// The package of the program.
const PACKAGE: &str = "transformer";

/// The exercises that a model made of the learner's code calls, chapter by chapter.
const USED: [(&str, &[&str]); 2] = [
    ("multi-head", &["MultiHeadAttention"]),
    (
        PACKAGE,
        &[
            "positional_encoding",
            "layer_norm",
            "residual",
            "encoder_layer",
            "decoder_layer",
            "encode",
            "decode",
            "label_smoothing",
            "training_step",
            "greedy_decode",
        ],
    ),
];

impl Train {
    /// Trains, with the learner's own code only when it works.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        self.options.check(context.home()).map_err(|error| anyhow!(error))?;
        let chapters = context.chapters()?;
        if self.options.mine && !works(context, &chapters)? {
            return Ok(ExitCode::FAILURE);
        }
        let here = env::current_dir().context("the current folder can't be read")?;
        let program = ["--package", PACKAGE, "--bin", "train"];
        let build = [&["build"], &program[..]].concat();
        let built = compile(cargo(&here, &build), &format!("Compiling {PACKAGE}"))?;
        if !built.status.success() {
            let fault = Fault::of(&chapters, &built.stderr);
            checks::show(context, &fault, &build)?;
            let advice = fault.advice(context, &names::chapter(&chapters, PACKAGE)?, &chapters);
            eprintln!("\n{} {advice}", bad("✗", Stream::Err));
            return Ok(ExitCode::FAILURE);
        }
        interrupt::check()?;
        let mut command = cargo(&here, &[&["run", "--quiet"], &program[..], &["--"]].concat());
        command.args(env::args_os().skip(2)); // behind `study train`
        Ok(process::same(process::foreground(command)?))
    }
}

/// Whether the learner's code that the model is made of works; says what does not, and what to type.
fn works(context: &Context, chapters: &[Chapter]) -> Result<bool> {
    let mut open_ones: Vec<(String, State)> = Vec::new();
    for (package, exercises) in USED {
        let chapter = names::chapter(chapters, package)?;
        if let Week::Broken(_) | Week::Blocked { .. } = week(context, &chapter)? {
            // Once more, with cargo's own words.
            if let Outcome::Unbuilt(fault) = checks::run(context, &chapter, Errors::Show)? {
                let advice = fault.advice(context, &chapter, chapters);
                eprintln!("\n{} {advice}", bad("✗", Stream::Err));
                return Ok(false);
            }
        }
        for exercise in exercises {
            let needed = workbook::needed(chapters, &chapter, exercise)?;
            for (chapter, name) in
                needed.into_iter().chain([(chapter.clone(), (*exercise).to_owned())])
            {
                let path = names::path(&chapter, &name);
                let state = state_of(context, &chapter, &name)?;
                if !state.is_done() && !open_ones.iter().any(|(other, _)| *other == path) {
                    open_ones.push((path, state));
                }
            }
        }
    }
    let Some((first, _)) = open_ones.first() else {
        return Ok(true);
    };
    eprintln!("`--mine` trains your own code, and these exercises do not work yet:\n");
    for (path, state) in &open_ones {
        match state {
            State::Failed => eprintln!("  {} {path}", bad("✗", Stream::Err)),
            State::Broken => eprintln!("  {} {path} (does not compile)", bad("!", Stream::Err)),
            _ => eprintln!("  {} {path} (not written yet)", open("○", Stream::Err)),
        }
    }
    eprintln!("\nNext: type `cargo study check {first}`.");
    Ok(false)
}
