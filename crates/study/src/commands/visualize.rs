//! `cargo study visualize`: what the heads of a model look at, as pictures.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use options::visualize::Options;

use crate::context::Context;
use crate::process;
use crate::tools::program::Program;
use crate::ui::{Stream, good};

/// Draw what the heads of a model look at: one heatmap per head, as SVG and PNG
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study visualize --text \"The cat sat on the mat because it was tired.\"
          cargo study visualize --model minilm --text \"She fed her dog.\" --layer 1 --head 3
          cargo study visualize --model induction --text \"a b c d e f g h a b c d e f g h\"
          cargo study visualize --model copy --out pictures

Layers and heads count from 0. `minilm` needs `cargo study fetch minilm` first, `copy` needs `cargo study train`."
)]
pub struct Visualize {
    #[command(flatten)]
    options: Options,
}

/// What draws SVG.
const DRAW: Program = Program { binary: "visualize", ..Program::new("inside-heads") };
/// What makes PNG of it.
const TO_PNG: Program = Program::tool("to-png");

impl Visualize {
    /// Draws, and says where the pictures are.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        self.options.check(context.home()).map_err(|error| anyhow!(error))?;
        DRAW.build(context)?;
        TO_PNG.build(context)?;
        let here = env::current_dir().context("the current folder can't be read")?;
        let mut draw = DRAW.command(context, &here);
        for (name, value) in self.asked() {
            draw.arg(name).arg(value);
        }
        // What it says is shown at once: it may train a model first.
        let drawn = process::run_shown(draw)?;
        if !drawn.status.success() {
            return Ok(ExitCode::FAILURE);
        }
        // It names one file per line.
        let files: Vec<&str> = drawn.stdout.lines().collect();
        let mut to_png = TO_PNG.command(context, &here);
        to_png.args(&files);
        let made = process::run_shown(to_png)?;
        if !made.status.success() {
            return Ok(ExitCode::FAILURE);
        }
        let folder = files.first().and_then(|file| Path::new(file).parent()).unwrap_or(&here);
        let count = match files.len() {
            1 => "1 picture".to_owned(),
            count => format!("{count} pictures"),
        };
        let folder = context.shown(folder);
        println!("{} {count}, as SVG and PNG, in {folder}", good("✓", Stream::Out));
        Ok(ExitCode::SUCCESS)
    }

    /// The options that were given, for the program that obeys them.
    fn asked(&self) -> Vec<(&str, OsString)> {
        let number = |number: Option<usize>| number.map(|number| number.to_string().into());
        let Options { model, text, layer, head, device, out } = self.options.clone();
        let all = [
            ("--model", Some(model.into())),
            ("--text", text.map(Into::into)),
            ("--layer", number(layer)),
            ("--head", number(head)),
            ("--device", Some(device.into())),
            ("--out", out.map(Into::into)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
