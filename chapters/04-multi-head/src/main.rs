//! `cargo run -p multi-head`: what one head cannot do, what cross-attention can learn, what each size costs, and the figures.

use candle_core::{DType, Device, Result};
use candle_nn::VarBuilder;
use multi_head::{
    MultiHeadAttention, MultiHeadConfig, diagrams,
    dictionary::{self, Dictionary},
    plots, retrieval,
    solution::{attention_flops, head_diversity, kv_cache_bytes, parameter_count},
    weights::seeded_weights,
};
use std::{error::Error, fs, path::Path, time::Instant};

const STEPS: usize = 400;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let folder = Path::new("target/figures/04-multi-head");
    fs::create_dir_all(folder)?;
    diagrams::split_combine()?.save(folder.join("split.svg"))?;
    train(folder)?;
    translate(folder)?;
    cache(folder)?;
    cost(folder)?;
    println!("\nFigures: {}", folder.display());
    Ok(())
}

fn train(folder: &Path) -> std::result::Result<(), Box<dyn Error>> {
    println!(
        "Return the payloads of two marked tokens, {STEPS} steps of 64 sequences:\n"
    );
    println!("heads  parameters  last 50    diversity before  after");
    let test = retrieval::draw(64, 0)?;
    let mut runs = Vec::new();
    for heads in [1, 2, 4] {
        let diversity = |layer: &MultiHeadAttention| -> Result<String> {
            if heads == 1 {
                return Ok("–".into());
            }
            let weights = retrieval::weights(layer, &test)?;
            Ok(format!("{:.2}", head_diversity(&weights)?.to_scalar::<f32>()?))
        };
        let before = diversity(&retrieval::train(heads, 0, 1)?.layer)?;
        let trained = retrieval::train(heads, STEPS, 1)?;
        let after = diversity(&trained.layer)?;
        let tail = &trained.losses[STEPS - 50..];
        let last = tail.iter().sum::<f32>() / tail.len() as f32;
        let parameters = parameter_count(&trained.layer.config);
        println!("{heads:>5} {parameters:>11} {last:>10.2} {before:>17} {after:>6}");
        runs.push((heads, trained));
    }
    let losses: Vec<_> =
        runs.iter().map(|(heads, run)| (*heads, &run.losses[..])).collect();
    plots::losses(&losses, 10)?.save(folder.join("losses.svg"))?;
    for (heads, run) in &runs {
        let [red, blue] = test.marks[0];
        let mut names = ["·"; retrieval::SEQ];
        (names[red], names[blue]) = ("red", "blue");
        let weights = retrieval::weights(&run.layer, &test)?.get(0)?;
        let title = "Where the trained heads look";
        plots::heads(title, &weights, "query", &names.join(" "))?
            .save(folder.join(format!("heads-{heads}.svg")))?;
    }
    Ok(())
}

fn translate(folder: &Path) -> std::result::Result<(), Box<dyn Error>> {
    println!("\nThe mean rank of the right word among 109:\n");
    println!("layer        taught  held out");
    let words = Dictionary::new(1)?;
    let layers =
        [("untrained", 0, 0), ("true pairs", 200, 0), ("wrong pairs", 200, 41)];
    // Lent and queen are held out.
    let (from, to) = (["lent", "queen", "bread"], ["queen", "bread", "lent"]);
    let positions = |names: [&str; 3]| -> Result<Vec<u32>> {
        names.into_iter().map(|name| words.position(name)).collect()
    };
    let mut maps = Vec::new();
    for (name, steps, shift) in layers {
        let layer = dictionary::train(&words, steps, shift)?;
        let mean = |held_out| -> Result<f64> {
            let ranks = dictionary::ranks(&layer, &words, &words.positions(held_out))?;
            Ok(ranks.iter().sum::<usize>() as f64 / ranks.len() as f64)
        };
        println!("{name:<11} {:>7.1} {:>9.1}", mean(false)?, mean(true)?);
        let map =
            dictionary::looks(&layer, &words, &positions(from)?, &positions(to)?)?;
        maps.push((name, map));
    }
    let panels: Vec<_> = maps.iter().map(|(name, map)| (*name, map)).collect();
    let foreign = from.map(|word| word.chars().rev().collect::<String>());
    let title = "Foreign words look at English words";
    plots::maps(title, &panels, &foreign.join(" "), &to.join(" "))?
        .save(folder.join("translator.svg"))?;
    Ok(())
}

fn cache(folder: &Path) -> std::result::Result<(), Box<dyn Error>> {
    println!(
        "\nThe cache of 32 layers, 32 heads of 128, one sequence of 32 768 tokens in bf16:\n"
    );
    let mut sizes = Vec::new();
    for (name, num_kv_heads) in
        [("32 kv heads", 32), ("8 kv heads", 8), ("1 kv head", 1)]
    {
        let config = MultiHeadConfig { num_kv_heads, ..MultiHeadConfig::new(4096, 32) };
        let gib = kv_cache_bytes(&config, 32, 1, 32_768, DType::BF16) as f64
            / f64::from(1 << 30);
        println!("{name:>12} {gib:>6.2} GiB");
        sizes.push((name, gib));
    }
    plots::cache(&sizes)?.save(folder.join("cache.svg"))?;
    Ok(())
}

fn cost(folder: &Path) -> std::result::Result<(), Box<dyn Error>> {
    let config = MultiHeadConfig::new(64, 4);
    let vars = seeded_weights(&config, 1)?;
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layer = MultiHeadAttention::new(&config, vb)?;
    println!("\nSelf-attention, 64 numbers per token, 4 heads, best of 5:\n");
    println!("tokens  GFLOP      ms");
    let mut measured = Vec::new();
    for seq in [64, 128, 256, 512, 1024, 2048] {
        let x = seeded::normal(1, (1, seq, 64))?;
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            layer.forward(&x, &x, &x, None, false, false)?;
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
        println!(
            "{seq:>6} {:>6.3} {best:>7.2}",
            attention_flops(&config, seq, seq) as f64 / 1e9
        );
        measured.push((seq, best));
    }
    plots::cost(&measured)?.save(folder.join("cost.svg"))?;
    Ok(())
}
