//! From a model's name and a text to maps.

use candle_core::{DType, Device, Error, Result, Tensor, bail};
use candle_nn::VarBuilder;
use inside_heads::{
    induction::{self, data},
    maps::{self, LayerMaps},
    minilm::{self, MiniLm},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};
use transformer::{
    Parts, Transformer,
    checkpoint::Checkpoint,
    model::Maps,
    reason::reason,
    solution::greedy_decode,
    tasks::{END, START, SYMBOLS},
};

const SENTENCE: &str = "The cat sat on the mat because it was tired.";
const SEQUENCE: &str = "3 9 4 4 7 10 5 6 8 3";
const REPEATED: &str =
    "one day a fox met an old grey owl one day a fox met an old grey owl";

/// What `--model` may name.
const EXPECTED: &str = "minilm, copy, induction or a checkpoint of `cargo study train`";

/// Steps after which the induction lab's heads have found the rule.
const STEPS: usize = 250;

/// What the heads of `model` look at when it reads `text`: layers with their numbers.
pub fn maps(model: &str, text: Option<&str>) -> Result<Vec<(usize, LayerMaps)>> {
    match model {
        "minilm" => sentence(text.unwrap_or(SENTENCE)),
        "copy" => sequence(&newest("copy")?, text.unwrap_or(SEQUENCE)),
        "induction" => repeated(text.unwrap_or(REPEATED)),
        file if Path::new(file).is_dir() => {
            bail!("--model {file}: that is a folder; expected {EXPECTED}")
        }
        file if Path::new(file).exists() => {
            sequence(Path::new(file), text.unwrap_or(SEQUENCE))
        }
        other => {
            bail!("--model {other}: there is no such file; expected {EXPECTED}")
        }
    }
}

fn sentence(text: &str) -> Result<Vec<(usize, LayerMaps)>> {
    if text.trim().is_empty() {
        bail!("--text: expected a sentence, such as --text \"{SENTENCE}\"");
    }
    let encoded = MiniLm::fetched()?.encode(&[text])?;
    Ok(maps::of_sentence(&encoded, 0)?.into_iter().enumerate().collect())
}

/// The maps of the induction lab's model, trained first: each different word is a token of its own.
fn repeated(text: &str) -> Result<Vec<(usize, LayerMaps)>> {
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();
    if words.is_empty() || words.len() > data::SEQ {
        bail!(
            "--text: expected 1 to {} words, some of them more than once, such as --text \"{REPEATED}\"; got {}",
            data::SEQ,
            words.len()
        );
    }
    let mut different: Vec<&String> = Vec::new();
    let token = |word| {
        different.iter().position(|known| *known == word).unwrap_or_else(|| {
            different.push(word);
            different.len() - 1
        }) as u32
    };
    let tokens: Vec<u32> = words.iter().map(token).collect();
    eprintln!("Training the induction lab's model for {STEPS} steps.");
    let model = induction::train(2, STEPS, 1)?.model;
    let pass =
        model.forward(&Tensor::new(&tokens[..], &Device::Cpu)?.unsqueeze(0)?, &[])?;
    let named = |(layer, weights): (usize, Tensor)| {
        let name = format!("layer {layer}");
        let (queries, keys) = (words.clone(), words.clone());
        Ok((layer, LayerMaps { name, queries, keys, weights: weights.squeeze(0)? }))
    };
    pass.maps.into_iter().enumerate().map(named).collect()
}

/// The last checkpoint of a task that was saved where `cargo study train` saves.
fn newest(task: &str) -> Result<PathBuf> {
    let folder = minilm::home().join("checkpoints");
    let files =
        fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_task = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What an earlier training left is asked for by its name.
        name.starts_with(&format!("{task}-"))
            && name.ends_with(".safetensors")
            && !name.contains(".backup-")
    };
    let saved = |path: &PathBuf| {
        fs::metadata(path)
            .and_then(|file| file.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    };
    match files.filter(of_task).max_by_key(saved) {
        Some(file) => Ok(file),
        None => bail!(
            "--model {task}: no training of this task is saved; type `cargo study train --task {task}` first"
        ),
    }
}

/// The training saved in `file`; an error says what else there is to type.
fn load(file: &Path) -> Result<Checkpoint> {
    Checkpoint::load(file).map_err(|error| {
        Error::Msg(format!(
            "--model: {}. Name another checkpoint, or train one: `cargo study train`",
            reason(&error)
        ))
    })
}

/// The maps of a trained model while it reads `text` and writes its answer.
fn sequence(checkpoint: &Path, text: &str) -> Result<Vec<(usize, LayerMaps)>> {
    let symbols = symbols(text)?;
    let Checkpoint { settings, step, variables, .. } = load(checkpoint)?;
    eprintln!(
        "Model: {}, task {}, trained for {step} of {} steps",
        checkpoint.display(),
        settings.task,
        settings.steps
    );
    let vb = VarBuilder::from_tensors(
        variables.into_iter().collect(),
        DType::F32,
        &Device::Cpu,
    );
    let model = Transformer::new(&settings.model, &Parts::readable(), vb)?;
    let source = Tensor::new(&symbols[..], &Device::Cpu)?.unsqueeze(0)?;
    let encode = |source: &Tensor| model.encode(source, false);
    let decode =
        |target: &Tensor, memory: &Tensor| model.decode(target, memory, &source, false);
    let written =
        greedy_decode(&source, &encode, &decode, [START, END], symbols.len() + 1)?;
    let mut target = vec![START];
    target.extend(
        written.squeeze(0)?.to_vec1::<u32>()?.into_iter().take_while(|&s| s != END),
    );
    eprintln!("read:    {}", spelled(&symbols).join(" "));
    eprintln!("written: {}", spelled(&target[1..]).join(" "));
    let (shortest, longest) = (settings.lengths.start(), settings.lengths.end());
    if !settings.lengths.contains(&symbols.len()) {
        eprintln!(
            "It was trained on sequences of {shortest} to {longest} symbols, not of {}.",
            symbols.len()
        );
    }
    let maps =
        model.maps(&source, &Tensor::new(&target[..], &Device::Cpu)?.unsqueeze(0)?)?;
    named(maps, &spelled(&symbols), &spelled(&target))
}

/// All layers of a Transformer, with the names of the tokens.
fn named(
    maps: Maps,
    source: &[String],
    target: &[String],
) -> Result<Vec<(usize, LayerMaps)>> {
    let Maps { encoder, decoder, cross } = maps;
    let mut all = Vec::new();
    for (stack, layers, queries, keys) in [
        ("encoder", encoder, source, source),
        ("decoder", decoder, target, target),
        ("cross", cross, target, source),
    ] {
        for (layer, weights) in layers.into_iter().enumerate() {
            let (queries, keys) = (queries.to_vec(), keys.to_vec());
            let name = format!("{stack} layer {layer}");
            all.push((
                layer,
                LayerMaps { name, queries, keys, weights: weights.squeeze(0)? },
            ));
        }
    }
    Ok(all)
}

fn symbols(text: &str) -> Result<Vec<u32>> {
    let symbol =
        |word: &str| word.parse().ok().filter(|number| SYMBOLS.contains(number));
    let symbols: Option<Vec<u32>> = text.split_whitespace().map(symbol).collect();
    symbols.filter(|symbols| !symbols.is_empty()).ok_or_else(|| {
        let (first, last) = (SYMBOLS.start(), SYMBOLS.end());
        Error::msg(format!(
            "--text: expected numbers from {first} to {last}, such as --text \"{SEQUENCE}\"; got {text:?}"
        ))
    })
}

fn spelled(tokens: &[u32]) -> Vec<String> {
    let name = |&token: &u32| match token {
        START => "start".into(),
        END => "end".into(),
        symbol => symbol.to_string(),
    };
    tokens.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use inside_heads::minilm::BertConfig;
    use transformer::{NormOrder, TransformerConfig};

    #[test]
    fn symbols_are_read_and_slips_named() -> Result<()> {
        assert_eq!(symbols(" 3  10 ")?, [3, 10]);
        for slip in ["", "2", "3 11", "3,4", "abc"] {
            let error = symbols(slip).unwrap_err().to_string();
            assert!(error.contains("numbers from 3 to 10"), "{slip}: {error}");
        }
        Ok(())
    }

    #[test]
    fn a_model_that_is_not_there_says_what_to_type() {
        let error = |model| maps(model, None).unwrap_err().to_string();
        assert!(error("nothing").contains("--model nothing: there is no such file"));
        assert!(error(".").contains("--model .: that is a folder"));
        // Of a file that is no checkpoint it speaks in its own options.
        let other = error("Cargo.toml");
        assert!(other.contains("Cargo.toml") && other.contains("cargo study train"));
        let own = ["--model", "--text", "--layer", "--head", "--device", "--out"];
        let options =
            other.split([' ', ':', ',']).filter(|word| word.starts_with("--"));
        assert!(options.clone().all(|word| own.contains(&word)), "{other}");
        assert!(options.count() > 0);
    }

    #[test]
    fn the_command_knows_these_models() {
        let command = include_str!("../../../../../crates/options/src/visualize.rs");
        let heads = induction::model::HEADS;
        let TransformerConfig { layers, heads: trained, .. } =
            TransformerConfig::small(NormOrder::Pre);
        for line in [
            format!(
                r#"("minilm", {}, {})"#,
                BertConfig::MINI_LM.layers,
                BertConfig::MINI_LM.heads
            ),
            format!(r#"("induction", 2, {heads}), ("copy", {layers}, {trained})"#),
            format!("const WORDS: usize = {};", data::SEQ),
        ] {
            assert!(command.contains(&line), "{line}");
        }
    }
}
