//! `cargo run -p flash`: the online softmax step by step, what tiles save, and that the kernel agrees; figures of it.

use compare::largest_error;
use flash::{
    Causal, Path, SdpaOptions, diagrams, flash_attention_on, naive, plots,
    solution::{self, tiled_traffic, tiles_to_visit},
};
use std::{error::Error, fs, path};

const SCORES: [f32; 8] = [1., 3., 2., 0., 5., 4., 5., 2.];
const DIM: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = path::Path::new("target/figures/07-flash");
    fs::create_dir_all(folder)?;
    online();
    traffic()?;
    tiles()?;
    agreement()?;
    diagrams::running_state()?.save(folder.join("state.svg"))?;
    diagrams::tiles()?.save(folder.join("tiles-and-state.svg"))?;
    plots::online(&SCORES)?.save(folder.join("online.svg"))?;
    let lengths: Vec<usize> = (8..=15).map(|power| 1 << power).collect();
    plots::traffic(DIM, &lengths, &[1, 16, 96])?.save(folder.join("traffic.svg"))?;
    plots::traffic_by_block(4096, DIM, &[1, 4, 16, 64, 96, 256])?
        .save(folder.join("traffic-by-block.svg"))?;
    plots::tile_map((512, 512), (64, 64))?.save(folder.join("tiles.svg"))?;
    plots::exp2_error(-2., 0., 480)?.save(folder.join("exp2.svg"))?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

fn online() {
    println!("One pass over eight scores:\n\nscore   m   factor       l");
    let mut before = f32::NEG_INFINITY;
    for (at, score) in SCORES.iter().enumerate() {
        let (m, l) = solution::online_softmax(&SCORES[..=at]);
        println!("{score:>5} {m:>3} {:>8.4} {l:>7.4}", (before - m).exp());
        before = m;
    }
}

fn traffic() -> Result<(), Box<dyn Error>> {
    println!("\nMegabytes that travel, one head of {DIM}, f32:\n\ntokens     naive  blocks of 96");
    for seq in [1024, 4096, 16_384] {
        let megabytes = |numbers: usize| numbers as f64 * 4. / 1e6;
        let naive = megabytes(plots::naive_traffic(seq, DIM));
        let tiled = megabytes(tiled_traffic(seq, DIM, 96)?);
        println!("{seq:>6} {naive:>9.1} {tiled:>13.1}");
    }
    Ok(())
}

fn tiles() -> Result<(), Box<dyn Error>> {
    let (seq, block) = (4096, 64);
    let (mut visited, mut masked) = (0, 0);
    for start in (0..seq).step_by(block) {
        let (visit, whole) = tiles_to_visit(start..start + block, seq, seq, block)?;
        visited += visit;
        masked += visit - whole;
    }
    let all = (seq / block).pow(2);
    println!("\nCausal, {seq} tokens: of {all} tiles {visited} are visited, {masked} need a mask.");
    Ok(())
}

/// Each path of the kernel beside the scores in memory.
fn agreement() -> Result<(), Box<dyn Error>> {
    let q = seeded::normal(1, (1, 8, 300, DIM))?;
    let k = seeded::normal(2, (1, 2, 500, DIM))?;
    let v = seeded::normal(3, (1, 2, 500, DIM))?;
    let options = SdpaOptions::default().causal(Causal::BottomRight);
    let expected = naive::attention(&q, &k, &v, &options)?;
    println!("\nEight query heads, two key-value heads, causal: how far the kernel is from naive");
    for path in Path::available() {
        let (out, _) = flash_attention_on(path, &q, &k, &v, &options)?;
        println!("{:<9} {:.0e}", format!("{path:?}"), largest_error(&out, &expected)?);
    }
    let (q, k, v) = (q.get(0)?.get(0)?, k.get(0)?.get(0)?, v.get(0)?.get(0)?);
    let scale = 1. / (DIM as f64).sqrt();
    let (out, _) = solution::flash_attention(&q, &k, &v, scale, true, (48, 64))?;
    println!("{:<9} {:.0e}", "solution", largest_error(&out, &expected.get(0)?.get(0)?)?);
    Ok(())
}
