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

The implementations take turns, so that a machine that slows down for a while slows all of them down. Each cell is a
median; ± is half the interquartile range. Memory is the most that was held at once beyond inputs and results; for
PyTorch, it is how far its process grew. Ctrl-C stops, and keeps what has been measured so far. What is measured is
compiled as for everything else here: with all optimisation, in the dev profile too.

With --device cuda the flash kernels are compiled too, for the card in this machine: that needs NVIDIA's compiler, nvcc,
and takes hours the first time. So it happens only when asked for; auto is the CPU. A cell on a card is the time between
two synchronisations, divided by the number of runs between them.")]
pub struct Bench {
    #[command(flatten)]
    options: Options,
}

const PROGRAM: Program = Program::new("bench");
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
        let mut command = program.command(context, &here);
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
                "--device cuda: no `nvcc` on the PATH: the kernels can't be built without NVIDIA's compiler. On a machine \
                 with a card, install the CUDA toolkit, put its `bin` folder on the PATH, and type this again. \
                 Without a card, type `cargo study bench`: it measures the CPU."
            );
        }
        eprintln!(
            "Building with CUDA: this takes hours the first time, since all flash kernels are compiled, and a moment later on."
        );
        Ok(WITH_CUDA)
    }
}
