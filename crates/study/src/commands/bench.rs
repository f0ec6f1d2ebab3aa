//! `cargo study bench`: how fast attention is on this machine, measured by the program of the package `bench`.

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use options::bench::{self, Options};

use crate::context::Context;
use crate::process;
use crate::tools::program::Program;

/// Measure attention on this machine: naive, candle's own, ours rung by rung, and PyTorch's
#[derive(Args)]
#[command(after_help = "Examples: cargo study bench --only dense,causal
          cargo study bench --only \"n*\" --rounds 2
          cargo study bench --torch python3 --json speed.json
          cargo study bench --page speed.json
          cargo study bench --device cuda --list
          cargo study bench --device cuda --torch python3 --json cuda.json

The ways take turns, so that a machine that is slower for a while is so for all of them. Each cell is a median; ± is
half of what the middle half of the runs spans. Memory is the most that was held at once beyond inputs and results;
PyTorch's is how far its process grew. Ctrl-C ends it, and what was measured until then is kept. The first time,
candle is compiled once more, as a release: some minutes.

With --device cuda the flash kernels are compiled too, for the card that is there: it takes NVIDIA's compiler, nvcc,
and the first time hours. So nothing but asking for it starts that; auto is the CPU. A cell on a card is the time
between two synchronisations, divided by the runs between them.")]
pub struct Bench {
    #[command(flatten)]
    options: Options,
}

const PROGRAM: Program =
    Program { package: "bench", binary: "bench", profile: "release", features: &[] };
const WITH_CUDA: Program = Program { features: &["cuda"], ..PROGRAM };

impl Bench {
    /// Measures.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        if self.options.list {
            print!("{}", bench::list(&self.options.device));
            return Ok(ExitCode::SUCCESS);
        }
        let program = self.program()?; // before the check makes the file of --json
        self.options.check().map_err(|error| anyhow!(error))?;
        program.build(context)?;
        let here = env::current_dir().context("the current folder can't be read")?;
        let mut command = program.command(&here);
        command.args(env::args_os().skip(2)); // behind `study bench`
        Ok(process::same(process::foreground(command)?))
    }

    /// The program, with CUDA when a card is to be measured and it can be compiled.
    fn program(&self) -> Result<Program> {
        if self.options.device != "cuda" || self.options.page.is_some() {
            return Ok(PROGRAM);
        }
        if process::ask("nvcc", &["--version"]).is_none() {
            bail!(
                "--device cuda: no `nvcc` on the PATH, NVIDIA's compiler, without which the kernels can't be built. \
                 On a machine with a card install the CUDA toolkit, put its `bin` folder on the PATH, and type \
                 this again. Without a card, type `cargo study bench`: it measures the CPU."
            );
        }
        eprintln!(
            "Building with CUDA: hours the first time, for all flash kernels are compiled; a moment later on."
        );
        Ok(WITH_CUDA)
    }
}
