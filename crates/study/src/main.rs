//! `cargo study …`: the learner's command line.
//!
//! It knows the chapters by their files only and calls cargo, mdbook and Jupyter for the rest, so it builds in
//! seconds. One file per command stands under `commands`; `tools` installs what the commands need.

mod backup;
mod blame;
mod cargo;
mod checks;
mod commands;
mod context;
mod estimate;
mod fault;
mod interrupt;
mod limit;
mod line_ends;
mod memory;
mod names;
mod nearest;
mod place;
mod process;
mod regions;
mod report;
mod reward;
mod saves;
mod state;
mod step;
mod times;
mod tools;
mod ui;
mod weeks;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use context::Context;

/// Attention from Scratch in Rust: read, try, check.
#[derive(Parser)]
#[command(name = "cargo study", bin_name = "cargo study", version)]
#[command(after_help = "Start here: `cargo study doctor`, then `cargo study serve`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(commands::serve::Serve),
    Lab(commands::lab::Lab),
    Check(commands::check::Check),
    Watch(commands::watch::Watch),
    Hint(commands::hint::Hint),
    Solution(commands::solution::Solution),
    Reset(commands::reset::Reset),
    Progress(commands::progress::Progress),
    Train(Box<commands::train::Train>),
    Verify(commands::verify::Verify),
    Fetch(commands::fetch::Fetch),
    Visualize(commands::visualize::Visualize),
    Bench(commands::bench::Bench),
    Notebooks(commands::notebooks::Notebooks),
    Doctor(commands::doctor::Doctor),
}

impl Command {
    fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(command) => command.run(context),
            Self::Lab(command) => command.run(context),
            Self::Check(command) => command.run(context),
            Self::Watch(command) => command.run(context),
            Self::Hint(command) => command.run(context),
            Self::Solution(command) => command.run(context),
            Self::Reset(command) => command.run(context),
            Self::Progress(command) => command.run(context),
            Self::Train(command) => command.run(context),
            Self::Verify(command) => command.run(context),
            Self::Fetch(command) => command.run(context),
            Self::Visualize(command) => command.run(context),
            Self::Bench(command) => command.run(context),
            Self::Notebooks(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = interrupt::listen()
        .and_then(|()| Context::find())
        .inspect(|context| times::keep_in(context.home()))
        .and_then(|context| cli.command.run(&context));
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<interrupt::Interrupted>() => {
            // The terminal may be gone.
            let _ = writeln!(
                std::io::stderr(),
                "Stopped. Nothing is left half done: type the same command to start again."
            );
            ExitCode::from(interrupt::exit_code())
        }
        Err(error) => {
            eprintln!("{} {error:#}", ui::bad("error:", ui::Stream::Err));
            ExitCode::FAILURE
        }
    }
}
