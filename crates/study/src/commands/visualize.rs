//! `cargo study visualize`: what the heads of a model look at, as pictures.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

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
    /// `minilm`, `copy`, `induction`, or a checkpoint of `cargo study train`
    #[arg(long, value_name = "NAME|FILE", default_value = "minilm")]
    model: String,
    /// What the model reads: English for `minilm`, words that repeat for `induction`, numbers from 3 to 10 for a
    /// checkpoint
    #[arg(long)]
    text: Option<String>,
    /// Only this layer, counted from 0
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Only this head, counted from 0
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Where to compute
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda", "metal"])]
    device: String,
    /// Put the pictures here instead of `target/figures/visualize/MODEL`
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// What draws SVG.
const DRAW: Program =
    Program { package: "inside-heads", binary: "visualize", profile: "dev", features: &[] };
/// What makes PNG of it.
const TO_PNG: Program =
    Program { package: "to-png", binary: "to-png", profile: "dev", features: &[] };

impl Visualize {
    /// Draws, and says where the pictures are.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        DRAW.build(context)?;
        TO_PNG.build(context)?;
        let here = env::current_dir().context("the current folder can't be read")?;
        let mut draw = DRAW.command(&here);
        for (name, value) in self.asked() {
            draw.arg(name).arg(value);
        }
        let drawn = process::run(draw, |_| ())?;
        eprint!("{}", drawn.stderr);
        if !drawn.status.success() {
            return Ok(ExitCode::FAILURE);
        }
        // It names one file per line.
        let files: Vec<&str> = drawn.stdout.lines().collect();
        let mut to_png = TO_PNG.command(&here);
        to_png.args(&files);
        let made = process::run(to_png, |_| ())?;
        eprint!("{}", made.stderr);
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
        let all = [
            ("--model", Some(self.model.clone().into())),
            ("--text", self.text.clone().map(Into::into)),
            ("--layer", number(self.layer)),
            ("--head", number(self.head)),
            ("--device", Some(self.device.clone().into())),
            ("--out", self.out.clone().map(Into::into)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
