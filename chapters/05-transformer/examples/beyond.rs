//! `cargo run -p transformer --example beyond -- MACHINE DATE FILE`: trains the models of the section "Beyond the trained
//! length" and writes what they lose at each position, in minutes on one core. The page shows `bench/beyond.json`.

use candle_core::{Error, Result};
use std::{env, fs, time::Instant};
use transformer::{
    beyond::{Positions, Recorded, TRAINED, floor},
    single::single_threaded_candle,
};

const STEPS: usize = 1000;
const SEQUENCES: usize = 200;
const SEEDS: [u64; 3] = [1, 2, 3];

fn main() -> Result<()> {
    single_threaded_candle();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [machine, date, file] = &arguments[..] else {
        return Err(Error::Msg("expected MACHINE DATE FILE".into()));
    };
    let start = Instant::now();
    let told = |positions: Positions, seed: u64| {
        eprintln!("{:>4.0} s: {positions}, seed {seed}", start.elapsed().as_secs_f64());
    };
    let run = Recorded::run([STEPS, SEQUENCES, 4 * TRAINED], &SEEDS, told)?;
    let run = Recorded { machine: machine.clone(), date: date.clone(), ..run };
    println!("loss in nats, {TRAINED} positions at a time; at least {:.3}", floor());
    for positions in Positions::ALL {
        for row in run.windows(positions, TRAINED) {
            println!("{positions:>6} {row:.3?}");
        }
    }
    fs::write(file, serde_json::to_string(&run).map_err(Error::wrap)? + "\n")?;
    Ok(())
}
