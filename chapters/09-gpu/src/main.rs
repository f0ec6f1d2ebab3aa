//! `cargo run -p gpu`: what there is to compute on, and week 8's six variants there, compared with the CPU.

use candle_core::{DType, Error, Result, bail};
use device::{Kind, choose};
use gpu::{
    Attend, Cpu, Picked,
    cards::{CARDS, Card},
    diagrams,
    plots::{self, Work, intensities},
    six,
};
use std::{fs, path::Path, process::ExitCode};
use varlen::batch::{Batch, log_normal_lengths};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What follows the first line is a backtrace.
            eprintln!("error: {}", error.to_string().lines().next().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let choice = choose(&asked(std::env::args().skip(1))?, &[Kind::Cpu, Kind::Cuda, Kind::Metal])?;
    println!("Device: {}\n", choice.said);
    let lengths = log_normal_lengths(1, 32)?;
    let batch = Batch::new(1, &lengths, 4, 64)?;
    println!("32 sequences, {} tokens, 4 heads of 64:\n", lengths.iter().sum::<usize>());
    let attend: Box<dyn Attend> = match choice.device.is_cpu() {
        true => Box::new(Cpu),
        false => Box::new(Picked::on(&choice.device)?),
    };
    let dtype = if choice.device.is_cpu() { DType::F32 } else { DType::BF16 };
    let came = six::run(&batch, &choice.device, dtype, attend.as_ref(), 5)?;
    print!("{}", six::table(&came)?);
    figures(Path::new("target/figures/09-gpu"))?;
    if !choice.device.is_cuda() {
        println!(
            "\nNot run: candle-flash-attn's kernels. That is fine: all exercises of this week run without a GPU. On a \
             machine with CUDA and a card from Ampere on, type\n\n    cargo run --release -p gpu --features cuda\n\n\
             and see \"Setting up a card\" in the book first: it takes hours the first time."
        );
    }
    Ok(())
}

/// The page's rooflines of cards, which are counted and not measured.
fn figures(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let (naive, flash) = intensities(8192, 8192, 64, DType::F16);
    let work = [
        Work::counted("one query", intensities(1, 8192, 64, DType::F16).1),
        Work::counted("naive", naive),
        Work::counted("flash, 512 tokens", intensities(512, 512, 64, DType::F16).1),
        Work::counted("flash, 8,192 tokens", flash),
    ];
    let save = |figure: figures::Figure, name| figure.save(folder.join(name)).map_err(Error::wrap);
    save(diagrams::memory_levels()?, "memory.svg")?;
    save(plots::rooflines("Four cards, on paper", &CARDS, &work)?, "rooflines.svg")?;
    let Card { name, flops, bandwidth, .. } = CARDS[2];
    let title = format!("{name}, on paper");
    save(plots::under_roof(&title, flops, bandwidth, &work)?, "under-roof.svg")?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

/// What `--device` asks for.
fn asked(mut arguments: impl Iterator<Item = String>) -> Result<String> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, _, _) => Ok("auto".to_owned()),
        (Some("--help" | "-h"), None, None) => {
            println!("cargo run -p gpu -- [--device auto|cpu|cuda|metal]");
            std::process::exit(0)
        }
        (Some("--device"), Some(asked), None) => Ok(asked),
        (Some(other), _, _) => {
            bail!("{other}: expected `--device auto`, `cpu`, `cuda` or `metal`, and nothing else")
        }
    }
}
