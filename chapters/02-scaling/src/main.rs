//! `cargo run -p scaling`: measures what the dimension does to scores and weights, and draws it.

use scaling::{diagrams, experiment::measure, plots};
use std::{error::Error, fs, path::Path};

const QUERIES: usize = 500;
const KEYS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{QUERIES} queries, {KEYS} keys, standard normal numbers; plain: q·k, scaled: q·k / √d\n"
    );
    println!("            variance       entropy       largest weight    median gradient");
    println!("head_dim      of q·k   plain   scaled    plain   scaled     plain    scaled");
    let mut measurements = Vec::new();
    for head_dim in [4, 8, 16, 32, 64, 128, 256, 512, 1024] {
        let m = measure(head_dim, QUERIES, KEYS, head_dim as u64)?;
        let (plain, scaled) = (m.plain, m.scaled);
        print!("{head_dim:>8} {:>11.1} {:>7.2} {:>8.2}", m.variance, plain.entropy, scaled.entropy);
        print!(" {:>8.3} {:>8.3}", plain.largest, scaled.largest);
        println!(" {:>9.4} {:>9.4}", plain.gradient, scaled.gradient);
        measurements.push(m);
    }
    let folder = Path::new("target/figures/02-scaling");
    fs::create_dir_all(folder)?;
    diagrams::scaled_attention()?.save(folder.join("attention.svg"))?;
    plots::variance(&measurements)?.save(folder.join("variance.svg"))?;
    plots::entropy(&measurements, KEYS)?.save(folder.join("entropy.svg"))?;
    plots::gradient(&measurements)?.save(folder.join("gradient.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}
