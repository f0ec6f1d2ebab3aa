//! The options of `cargo study visualize`. Its program reads them by itself (with clap, candle would be compiled once more
//! for it) and judges them again: here is what can be said before anything is compiled.

use crate::device::cpu_only;
use crate::files;
use crate::numbers::whole;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// What to draw.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// `minilm`, `copy`, `induction`, or a checkpoint of `cargo study train`
    #[arg(long, value_name = "NAME|FILE", default_value = "minilm")]
    pub model: String,
    /// What the model reads: English for `minilm`, words that repeat for `induction`, numbers from 3 to 10 for a
    /// checkpoint
    #[arg(long, allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Only this layer, counted from 0
    #[arg(long, value_name = "N", value_parser = whole(0, MOST), allow_hyphen_values = true)]
    pub layer: Option<usize>,
    /// Only this head, counted from 0
    #[arg(long, value_name = "N", value_parser = whole(0, MOST), allow_hyphen_values = true)]
    pub head: Option<usize>,
    /// Where to compute
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda", "metal"])]
    pub device: String,
    /// Put the pictures here instead of `target/figures/visualize/MODEL`
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// No model of the course has as many layers or heads.
const MOST: usize = 999;
/// The models with a name: how many layers, and how many heads in each.
pub const MODELS: [(&str, usize, usize); 3] =
    [("minilm", 6, 12), ("induction", 2, 2), ("copy", 2, 4)];
/// The most words that `induction` reads.
pub const WORDS: usize = 32;

impl Options {
    /// What is not as it must be, and can be told before anything is compiled; models and trainings are kept in `home`.
    pub fn check(&self, home: &Path) -> Result<(), String> {
        cpu_only(&self.device)?;
        let model = self.model.as_str();
        if let Some((_, layers, heads)) = MODELS.iter().find(|(name, ..)| *name == model) {
            for (name, asked, count) in
                [("--layer", self.layer, layers), ("--head", self.head, heads)]
            {
                if let Some(asked) = asked.filter(|asked| asked >= count) {
                    return Err(format!("{name}: expected 0 to {}; got {asked}", count - 1));
                }
            }
        }
        match model {
            "minilm" => {
                let folder = home.join("models").join(model);
                if !["vocab.txt", "model.safetensors"]
                    .iter()
                    .all(|name| folder.join(name).is_file())
                {
                    return Err(
                        "--model minilm: the model is not there yet; type `cargo study fetch minilm` first"
                            .to_owned(),
                    );
                }
            }
            "copy" => self.trained(home)?,
            "induction" => {}
            file => is_checkpoint(file)?,
        }
        self.readable()?;
        match &self.out {
            Some(folder) => files::folder(&format!("--out {}", folder.display()), folder),
            None => Ok(()),
        }
    }

    /// An error unless a training of the model's task is saved.
    fn trained(&self, home: &Path) -> Result<(), String> {
        let task = &self.model;
        let entries = fs::read_dir(home.join("checkpoints")).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let of_task = |name: String| {
            name.starts_with(&format!("{task}-"))
                && name.ends_with(".safetensors")
                && !name.contains(".backup-")
        };
        match names.any(of_task) {
            true => Ok(()),
            false => Err(format!(
                "--model {task}: no training of this task is saved; type `cargo study train --task {task}` first"
            )),
        }
    }

    /// An error unless the model can read the text.
    fn readable(&self) -> Result<(), String> {
        let Some(text) = &self.text else { return Ok(()) };
        let words: Vec<&str> = text.split_whitespace().collect();
        let expected = match self.model.as_str() {
            "minilm" if words.is_empty() => "a sentence".to_owned(),
            "minilm" => return Ok(()),
            "induction" if (1..=WORDS).contains(&words.len()) => return Ok(()),
            "induction" => format!("1 to {WORDS} words, some of them more than once"),
            _ => {
                let is_symbol =
                    |word: &&str| word.parse().is_ok_and(|number| (3..=10).contains(&number));
                if !words.is_empty() && words.iter().all(is_symbol) {
                    return Ok(());
                }
                "numbers from 3 to 10, with spaces between".to_owned()
            }
        };
        Err(format!("--text: expected {expected}; got \"{text}\""))
    }
}

fn is_checkpoint(file: &str) -> Result<(), String> {
    let path = Path::new(file);
    let got = match path {
        path if path.is_dir() => "that is a folder",
        path if !path.exists() => "there is no such file",
        _ => return Ok(()),
    };
    Err(format!(
        "--model {file}: {got}; expected minilm, copy, induction or a checkpoint of `cargo study train`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn read(words: &[&str]) -> Options {
        Cli::try_parse_from([&["visualize"], words].concat()).unwrap().options
    }

    #[test]
    fn what_can_not_be_drawn_is_said_before_anything_is_compiled() {
        let home = std::env::temp_dir().join(format!("options-visualize-{}", std::process::id()));
        fs::create_dir_all(home.join("checkpoints")).unwrap();
        let says = |words: &[&str]| read(words).check(&home).err().unwrap_or_default();
        for (words, expected) in [
            (&[][..], "type `cargo study fetch minilm` first"),
            (&["--model", "copy"], "type `cargo study train --task copy` first"),
            (&["--model", "."], "--model .: that is a folder"),
            (&["--model", "nothing"], "--model nothing: there is no such file; expected minilm"),
            (&["--model", "induction", "--layer", "2"], "--layer: expected 0 to 1; got 2"),
            (&["--model", "induction", "--head", "2"], "--head: expected 0 to 1; got 2"),
            (&["--model", "minilm", "--layer", "6"], "--layer: expected 0 to 5; got 6"),
            (&["--model", "induction", "--text", " "], "--text: expected 1 to 32 words"),
        ] {
            let error = says(words);
            assert!(error.contains(expected), "{words:?}: {error}");
        }
        let slip = Cli::try_parse_from(["visualize", "--layer", "-1"]).err().unwrap().to_string();
        assert!(slip.contains("expected a whole number from 0"), "{slip}");
        assert_eq!(says(&["--model", "induction", "--text", "a b a b"]), "");

        fs::write(home.join("checkpoints").join("copy-pre-mine.safetensors"), "").unwrap();
        assert_eq!(says(&["--model", "copy", "--text", "3 10"]), "");
        for text in ["", "2", "-3", "3,4", "a"] {
            let error = says(&["--model", "copy", "--text", text]);
            assert!(error.contains("expected numbers from 3 to 10"), "{error}");
        }
        let file = home.join("file");
        fs::write(&file, "").unwrap();
        let out = says(&["--model", "copy", "--out", file.join("x").to_str().unwrap()]);
        assert!(out.contains("is a file, and no folder"), "{out}");
        fs::remove_dir_all(&home).unwrap();
    }
}
