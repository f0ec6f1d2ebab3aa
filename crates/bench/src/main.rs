//! `cargo study bench`: how fast attention is in the course's ways, in candle's and in PyTorch's, on this machine.

mod card;
mod clock;
mod find;
mod machine;
mod measure;
mod memory;
mod off;
mod page;
mod peak;
mod place;
mod processor;
mod ragged;
mod report;
mod show;
mod table;
mod tables;
mod torch;
mod way;
mod ways;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use measure::Bench;
use options::bench::{self, Options};
use place::Place;
use report::{Cell, Run};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use torch::Torch;

/// Measure attention: naive, candle's own, rung by rung, the kernel, and PyTorch's
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    /// Seconds of a turn: for tests, whose times nobody reads
    #[arg(long, hide = true, default_value_t = clock::SPAN)]
    span: f64,
}

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { options, span }: &Cli) -> Result<ExitCode> {
    options.check().map_err(|error| anyhow!(error))?;
    if options.list {
        print!("{}", bench::list(&options.device));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &options.page {
        let run = Run::load(file)?;
        let folders = match &options.out {
            Some(folder) => [folder.clone(), folder.clone(), folder.clone()],
            None if card::is_rehearsal(&run) => {
                bail!(
                    "{}: times of a rehearsal mean nothing, so no page shows them",
                    file.display()
                )
            }
            None => page::folders(&places::root()),
        };
        for file in page::write(&run, &folders)? {
            println!("{}", file.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (place, card) = find::place(options)?;
    ctrlc::set_handler(|| measure::STOPPED.store(true, Ordering::SeqCst))
        .context("can't listen for Ctrl-C")?;
    measure(options, *span, place, card)
}

fn measure(
    options: &Options,
    span: f64,
    place: Box<dyn Place>,
    card: Option<report::Card>,
) -> Result<ExitCode> {
    let rows = options.rows().map_err(|error| anyhow!(error))?;
    let device = if options.device == "cuda" { "cuda" } else { "cpu" };
    let torch = options.torch.as_deref().map(|python| Torch::start(python, device)).transpose()?;
    let mut run = Run {
        date: chrono::Local::now().format("%Y-%m-%d").to_string(),
        rounds: options.rounds,
        interrupted: false,
        machine: machine::machine(),
        card,
        versions: machine::versions(torch.as_ref()),
        peaks: vec![],
        cells: vec![],
        left_out: vec![],
    };
    let mut bench = Bench::new(place, torch, options.rounds, span);
    let progress = show::Progress::start(rows.len());
    for row in rows {
        let measured = bench.row(row, |what| progress.say(format!("{}, {what}", row.name)));
        let (cells, left_out) = measured.inspect_err(|_| progress.clear())?;
        run.cells.extend(cells);
        run.left_out.extend(left_out);
        run.peaks = bench.peaks();
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
    print!("{}", page::summary(&run));
    if let Some(file) = &options.json {
        eprintln!("Results: {}", file.display());
    }
    match run.interrupted {
        true => {
            eprintln!("Stopped by Ctrl-C: what has been measured so far is above.");
            Ok(ExitCode::from(INTERRUPTED))
        }
        false => Ok(ExitCode::SUCCESS),
    }
}

/// Sets each cell beside the peak of its instructions, and beside PyTorch.
fn compare(run: &mut Run) {
    let known = run.clone();
    for cell in &mut run.cells {
        let instructions = if cell.way == ways::AVX2 { "avx2" } else { known.best() };
        let peak = known.peak(instructions, cell.threads);
        cell.share_of_peak = peak.map(|peak| cell.gflops / peak);
        let torch = |way| known.cell(&cell.row, way, cell.threads);
        let torch: Option<&Cell> =
            torch("torch").or_else(|| torch("torch-varlen")).or_else(|| torch("torch-one-by-one"));
        cell.times_torch = torch.map(|torch| torch.median_ms / cell.median_ms);
    }
}
