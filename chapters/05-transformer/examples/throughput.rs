//! `cargo run -p transformer --example throughput`: target tokens per second in training, on the copy task.
//!
//! A step is what `cargo study train` does: draw a batch, forward, loss, backward, Adam. The table holds the medians of
//! the steps' times. `bench/pytorch.py` runs this and PyTorch in turn and compares them. `--rounds N` does everything N times; `--only fast-2 --batch 256` measures one place of the table.

use candle_core::Result;
use std::time::{Duration, Instant};
use transformer::{
    NormOrder,
    single::single_threaded_candle,
    tasks::Task,
    training::{CodePath, Settings, Trainer},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: [usize; 3] = [32, 80, 256];
const LENGTH: usize = 10;
/// How long each place of the table is measured, in each round.
const SPAN: Duration = Duration::from_millis(1500);
const WAYS: [(&str, CodePath, usize); 4] = [
    ("readable-1", CodePath::Readable, 1),
    ("readable-2", CodePath::Readable, 2),
    ("fast-1", CodePath::Fast, 1),
    ("fast-2", CodePath::Fast, 2),
];

fn main() -> Result<()> {
    single_threaded_candle();
    let args: Vec<String> = std::env::args().collect();
    let option =
        |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let number =
        |name: &str| option(name).map(|text| text.parse().expect("a whole number"));
    let (rounds, only) = (number("--rounds").unwrap_or(1), option("--only"));
    let batches = number("--batch").map_or(BATCHES.to_vec(), |batch| vec![batch]);
    let ways: Vec<_> = WAYS
        .into_iter()
        .filter(|way| only.as_deref().is_none_or(|only| only == way.0))
        .collect();

    let mut times = vec![vec![vec![]; ways.len()]; batches.len()];
    for _ in 0..rounds {
        for (&batch, times) in batches.iter().zip(&mut times) {
            for (&(_, path, threads), times) in ways.iter().zip(times) {
                times.extend(measure(path, batch, threads)?);
            }
        }
    }
    print!("{:>6}", "batch");
    ways.iter().for_each(|(name, ..)| print!("{name:>12}"));
    for (batch, times) in batches.iter().zip(&mut times) {
        print!("\n{batch:>6}");
        for times in times {
            times.sort_by(f64::total_cmp);
            let tokens = batch * (LENGTH + 1);
            print!("{:>12.0}", tokens as f64 / times[times.len() / 2]);
        }
    }
    println!();
    Ok(())
}

/// The seconds of each step.
fn measure(path: CodePath, batch: usize, threads: usize) -> Result<Vec<f64>> {
    let recipe = Settings::recipe(Task::Copy, LENGTH..=LENGTH, NormOrder::Pre, path);
    let mut trainer = Trainer::new(Settings { batch, threads, ..recipe })?;
    for _ in 0..5 {
        trainer.step()?;
    }
    let (start, mut times) = (Instant::now(), vec![]);
    while start.elapsed() < SPAN {
        let start = Instant::now();
        trainer.step()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}
