//! `cargo study train`: trains a Transformer, saves it, and says what it has learned.

mod ask;
mod fit;
mod lock;
mod panics;
mod places;
mod progress;
mod report;
mod run;
mod saving;
mod typed;

use clap::Parser;
use device::{Kind, choose};
use options::train::Options;
use run::End;
use std::process::ExitCode;
use transformer::{reason::reason, single::single_threaded_candle};

/// Steps allocate and free the same sizes again and again; this allocator does not give them back in between.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Train week 5's Transformer, and see how many fresh sequences it gets right
#[derive(Parser)]
#[command(name = "cargo study train", bin_name = "cargo study train")]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    single_threaded_candle();
    let options = Cli::parse().options;
    let (settings, device) = match ask::settings(&options).and_then(|settings| {
        // The models are small enough for it, and the fast path is written for it.
        let choice =
            choose(&options.device, &[Kind::Cpu]).map_err(|error| reason(&error))?;
        Ok((settings, choice.said))
    }) {
        Ok(asked) => asked,
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::from(2);
        }
    };
    // As `cargo study train` has asked before it compiled this.
    if let Err(reason) = options.check(&::places::home()) {
        eprintln!("error: {reason}");
        return ExitCode::FAILURE;
    }
    println!("{}\nDevice: {device}", ask::shown(&settings));
    let run = || run::run(&options, settings);
    let end = if options.mine { panics::explained(run) } else { run() };
    match end {
        Ok(End::Finished) => ExitCode::SUCCESS,
        // What a shell expects of a program that Ctrl-C ended.
        Ok(End::Stopped) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {}", reason(&error));
            ExitCode::FAILURE
        }
    }
}
