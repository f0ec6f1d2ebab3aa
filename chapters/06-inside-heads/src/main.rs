//! `cargo run -p inside-heads`: the induction lab, and its figures.

use candle_core::{DType, Device, Tensor};
use inside_heads::{
    diagrams,
    induction::{
        Run, data,
        probe::{Instead, ablated_loss, name, test_sequences},
        train,
    },
    plots,
    solution::{attention_entropy, head_diversity},
};
use std::{error::Error, fs, path::Path, time::Instant};

const STEPS: usize = 500;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("target/figures/06-inside-heads");
    fs::create_dir_all(folder)?;
    diagrams::induction()?.save(folder.join("induction.svg"))?;
    println!(
        "Blocks of {} random tokens, twice; loss in nats per token.",
        data::PERIOD
    );
    println!("Chance: {:.2}.", data::chance());
    println!(
        "Known that the answer stands at one of nine places: {:.2}.",
        data::one_of_the_lengths()
    );
    let one = trained(1)?;
    let two = trained(2)?;
    let (before, after) = (two.before(), two.after());
    let layers = [("untrained", before), ("1 layer", one.after()), ("2 layers", after)];
    plots::by_position("One layer guesses, two layers know", &layers)?
        .save(folder.join("by-position.svg"))?;
    plots::losses("The second block's loss falls at once", &two)?
        .save(folder.join("losses.svg"))?;
    plots::scores("Heads of two layers find their jobs", &two)?
        .save(folder.join("scores.svg"))?;
    plots::over_training("How widely they look", "entropy, nats", &two, |at| {
        &at.entropy
    })?
    .save(folder.join("entropy.svg"))?;
    plots::over_training("How far they look", "distance, tokens", &two, |at| {
        &at.distance
    })?
    .save(folder.join("distance.svg"))?;
    plots::maps("Where the heads look", &two)?.save(folder.join("maps.svg"))?;
    turn(&two);
    heads(&two, folder)?;
    ablations(&two, folder)?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

fn trained(layers: usize) -> Result<Run, Box<dyn Error>> {
    let start = Instant::now();
    let run = train(layers, STEPS, SEED)?;
    let (first, second) = (run.after().first_half(), run.after().second_half());
    let seconds = start.elapsed().as_secs_f64();
    let name = if layers == 1 { "1 layer" } else { "2 layers" };
    println!(
        "\n{name}, {STEPS} steps, {seconds:.1} s: first block {first:.2}, second {second:.2}"
    );
    Ok(run)
}

/// The steps in which the second block's loss falls from near chance to a tenth of it.
fn turn(run: &Run) {
    println!("\nstep  second block");
    let chance = data::chance() as f32;
    let turning = |loss: f32| (0.1 * chance..0.95 * chance).contains(&loss);
    for at in run.snapshots().iter().filter(|at| turning(at.second_half())) {
        println!("{:>4} {:>13.2}", at.step, at.second_half());
    }
}

fn heads(run: &Run, folder: &Path) -> Result<(), Box<dyn Error>> {
    let tokens = test_sequences()?;
    let maps = run.model.forward(&tokens, &[])?.maps;
    println!("\n          previous  induction  entropy");
    for (layer, head) in run.model.heads() {
        let (previous, induction) =
            (run.after().previous[layer][head], run.after().induction[layer][head]);
        let entropy = attention_entropy(&maps[layer])?.get(head)?.to_scalar::<f32>()?;
        println!(
            "{} {previous:>9.2} {induction:>10.2} {entropy:>8.2}",
            name((layer, head))
        );
    }
    let (before, after) = (run.before().diversity, run.after().diversity);
    println!("How differently two heads look: {before:.2} before, {after:.2} after.");
    let real = Tensor::ones(tokens.shape(), DType::U8, &Device::Cpu)?;
    let names: Vec<String> = run.model.heads().into_iter().map(name).collect();
    plots::diversity(
        "How differently two heads look",
        &head_diversity(&maps, &real)?,
        &names,
    )?
    .save(folder.join("diversity.svg"))?;
    Ok(())
}

fn ablations(run: &Run, folder: &Path) -> Result<(), Box<dyn Error>> {
    println!("\nswitched off    zeroed   mean");
    let mut cases = vec![("nothing".to_string(), Vec::new())];
    cases.extend(run.model.heads().into_iter().map(|head| (name(head), vec![head])));
    for layer in 0..run.model.layers() {
        let heads = run.model.heads().into_iter().filter(|&(of, _)| of == layer);
        cases.push((format!("all of layer {layer}"), heads.collect()));
    }
    let mut bars = Vec::new();
    for (label, heads) in cases {
        let [zeroed, mean] = [Instead::Zeros, Instead::Mean]
            .map(|by| ablated_loss(&run.model, &heads, by));
        let (zeroed, mean) = (zeroed?, mean?);
        println!("{label:<14} {zeroed:>7.2} {mean:>6.2}");
        bars.push((label, zeroed));
    }
    plots::ablations("What each head is worth", &bars)?
        .save(folder.join("ablations.svg"))?;
    Ok(())
}
