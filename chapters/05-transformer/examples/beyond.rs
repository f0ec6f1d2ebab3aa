//! `cargo run -p transformer --example beyond`: trains the models of the section "Beyond the trained length", in minutes on
//! one core. With `-- MACHINE DATE FILE` it writes what they lose at each position; the page shows `bench/beyond.json`.

use candle_core::{Error, Result};
use std::{env, fs, time::Instant};
use transformer::{
    beyond::{Positions, Recorded, TRAINED, floor, windows},
    single::single_threaded_candle,
};

const STEPS: usize = 1000;
const SEQUENCES: usize = 200;
const SEEDS: [u64; 3] = [1, 2, 3];

fn main() -> Result<()> {
    single_threaded_candle();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let start = Instant::now();
    let told = |positions: Positions, seed: u64| {
        eprintln!("{:>4.0} s: {positions}, seed {seed}", start.elapsed().as_secs_f64());
    };
    let run = Recorded::run([STEPS, SEQUENCES, 4 * TRAINED], &SEEDS, told)?;
    println!("loss in nats, {TRAINED} positions at a time; at least {:.3}", floor());
    for positions in Positions::ALL {
        for (what, losses) in [("all", &run.losses), ("near", &run.near)] {
            for row in windows(losses, positions, TRAINED) {
                println!("{positions:>6} {what:>4} {row:.3?}");
            }
        }
    }
    if let [machine, date, file] = &arguments[..] {
        let run = Recorded { machine: machine.clone(), date: date.clone(), ..run };
        fs::write(file, serde_json::to_string(&run).map_err(Error::wrap)? + "\n")?;
    }
    Ok(())
}
