//! `cargo study bench`: how fast attention is in the course's ways, in candle's and in PyTorch's, on this machine.

mod machine;
mod measure;
mod memory;
mod options;
mod page;
mod peak;
mod ragged;
mod report;
mod rows;
mod show;
mod table;
mod torch;
mod ways;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use device::{Kind, choose};
use measure::Bench;
use options::Options;
use report::{Cell, Peak, Run};
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use torch::Torch;

/// Measure attention: naive, candle's own, rung by rung, the kernel, and PyTorch's
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(&Cli::parse().options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode> {
    options.check().map_err(|error| anyhow!(error))?;
    if options.list {
        print!("{}", options::list());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &options.page {
        let folders = match &options.out {
            Some(folder) => [folder.clone(), folder.clone()],
            None => page::folders(&root()),
        };
        for file in page::write(&Run::load(file)?, &folders)? {
            println!("{}", file.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let choice = choose(&options.device, &[Kind::Cpu, Kind::Cuda])?;
    eprintln!("Device: {}", choice.said);
    ctrlc::set_handler(|| measure::STOPPED.store(true, Ordering::SeqCst))
        .context("can't listen for Ctrl-C")?;
    measure(options)
}

fn measure(options: &Options) -> Result<ExitCode> {
    let rows = options.rows().map_err(|error| anyhow!(error))?;
    let torch = options.torch.as_deref().map(Torch::start).transpose()?;
    let mut run = Run {
        date: chrono::Local::now().format("%Y-%m-%d").to_string(),
        rounds: options.rounds,
        interrupted: false,
        machine: machine::machine(),
        versions: machine::versions(torch.as_ref()),
        peaks: vec![],
        cells: vec![],
    };
    let mut bench = Bench::new(options.threads(), torch, options.rounds)?;
    let progress = show::Progress::start(rows.len());
    for row in rows {
        let cells = bench.row(row, |what| progress.say(format!("{}, {what}", row.name)));
        run.cells.extend(cells.inspect_err(|_| progress.clear())?);
        run.peaks = bench.peaks().map(peak).collect();
        run.interrupted = measure::stopped();
        compare(&mut run);
        if run.cells.iter().any(|cell| cell.row == row.name) {
            progress.done(&show::row(row, &run));
        }
        if let Some(file) = &options.json {
            run.save(file)?;
        }
        if run.interrupted {
            break;
        }
    }
    progress.clear();
    let table = page::speed(&run);
    if !table.is_empty() {
        print!("{}", table.markdown());
    }
    if !run.cells.is_empty() {
        println!("\n{}", page::footer(&run));
    }
    if let Some(file) = &options.json {
        eprintln!("Kept in {}", file.display());
    }
    match run.interrupted {
        true => {
            eprintln!("Stopped by Ctrl-C: what was measured until then stands above.");
            Ok(ExitCode::from(INTERRUPTED))
        }
        false => Ok(ExitCode::SUCCESS),
    }
}

fn peak((instructions, threads, gflops): (&str, usize, f64)) -> Peak {
    Peak { instructions: instructions.to_owned(), threads, gflops }
}

/// Sets each cell beside the peak of its instructions, and beside PyTorch.
fn compare(run: &mut Run) {
    let known = run.clone();
    for cell in &mut run.cells {
        let instructions = if cell.way == ways::AVX2 { "avx2" } else { known.best() };
        let peak = known.peak(instructions, cell.threads);
        cell.share_of_peak = peak.map(|peak| cell.gflops / peak);
        let torch = |way| known.cell(&cell.row, way, cell.threads);
        let torch: Option<&Cell> = torch("torch").or_else(|| torch("torch-one-by-one"));
        cell.times_torch = torch.map(|torch| torch.median_ms / cell.median_ms);
    }
}

/// The course's folder: two above this package's, which cargo names to a program that it runs; else the current one.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.as_deref().and_then(|package| package.ancestors().nth(2));
    root.map_or_else(|| PathBuf::from("."), ToOwned::to_owned)
}
