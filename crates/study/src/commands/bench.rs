//! `cargo study bench`: how fast attention is on this machine, measured by the program of the package `bench`.

/// The options and the rows, in the files of the program that obeys them: one list, one help.
#[allow(dead_code, reason = "most are only handed on")]
#[path = "../../../bench/src/options.rs"]
mod options;
#[allow(dead_code, reason = "what is measured is the program's to know; here rows have names")]
#[path = "../../../bench/src/rows.rs"]
mod rows;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use options::Options;

use crate::context::Context;
use crate::process;
use crate::tools::program::Program;

/// Measure attention on this machine: naive, candle's own, ours rung by rung, and PyTorch's
#[derive(Args)]
#[command(after_help = "Examples: cargo study bench --only dense,causal
          cargo study bench --only \"n*\" --rounds 2
          cargo study bench --torch python3 --json speed.json
          cargo study bench --page speed.json

The ways take turns, so that a machine that is slower for a while is so for all of them. Each cell is a median; ± is half
of what the middle half of the runs spans. Memory is the most that was held at once beyond inputs and results. Ctrl-C ends it, and what was
measured until then is kept. The first time, candle is compiled once more, as a release: some minutes.")]
pub struct Bench {
    #[command(flatten)]
    options: Options,
}

const PROGRAM: Program = Program { package: "bench", binary: "bench", profile: "release" };

impl Bench {
    /// Measures.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        if self.options.list {
            print!("{}", options::list());
            return Ok(ExitCode::SUCCESS);
        }
        self.options.check().map_err(|error| anyhow!(error))?;
        PROGRAM.build(context)?;
        let here = env::current_dir().context("the current folder can't be read")?;
        let mut command = PROGRAM.command(&here);
        command.args(env::args_os().skip(2)); // behind `study bench`
        Ok(process::same(process::foreground(command)?))
    }
}
