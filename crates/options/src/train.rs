//! The options of `cargo study train`.

use crate::device::cpu_only;
use crate::files;
use crate::numbers::{number, whole};
use clap::Args;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What to train, and how.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What the model learns to do with a sequence
    #[arg(long, default_value = "copy", value_parser = ["copy", "reverse", "sort"])]
    pub task: String,
    /// Plain candle operations, or fused ones: the same model at a different speed
    #[arg(long, default_value = "readable", value_parser = ["readable", "fast"])]
    pub path: String,
    /// Train with the code that you wrote in weeks 4 and 5
    #[arg(long, conflicts_with = "path")]
    pub mine: bool,
    /// Norms before each sublayer, or after it as in the paper
    #[arg(long, default_value = "pre", value_parser = ["pre", "post"])]
    pub norm: String,
    /// How long the sequences are: `10`, or `1..=20` for a random length each time
    #[arg(long, value_name = "N|N..=N", default_value = "10", value_parser = lengths, allow_hyphen_values = true)]
    pub lengths: RangeInclusive<usize>,
    /// Sequences per step
    #[arg(long, value_name = "N", default_value = "32", value_parser = whole(1, MOST), allow_hyphen_values = true)]
    pub batch: usize,
    /// Training steps; if left out, as many as the task is known to need
    #[arg(long, value_name = "N", value_parser = whole(1, MOST), allow_hyphen_values = true)]
    pub steps: Option<usize>,
    /// Seeds the initial weights, the sequences and dropout
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole(0, u64::MAX), allow_hyphen_values = true)]
    pub seed: u64,
    /// The peak learning rate
    #[arg(long, value_name = "RATE", value_parser = number(is_rate, "a number above 0"), allow_hyphen_values = true)]
    pub rate: Option<f64>,
    /// Steps over which the learning rate rises to its peak
    #[arg(long, value_name = "N", value_parser = whole(0, MOST), allow_hyphen_values = true)]
    pub warmup: Option<usize>,
    /// How much label smoothing: a share from 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = number(is_share, "a share from 0 to 1"), allow_hyphen_values = true)]
    pub smoothing: Option<f64>,
    /// The probability with which dropout drops a number
    #[arg(long, value_name = "P", value_parser = number(drops, "a probability from 0 on, below 1"), allow_hyphen_values = true)]
    pub dropout: Option<f64>,
    /// Threads to split each batch across
    #[arg(long, value_name = "N", value_parser = whole(1, 1024_usize), allow_hyphen_values = true)]
    pub threads: Option<usize>,
    /// Where to compute
    #[arg(long, default_value = "auto", value_parser = ["auto", "cpu", "cuda", "metal"])]
    pub device: String,
    /// Continue where the last training with these options was saved
    #[arg(long, conflicts_with = "no_checkpoint")]
    pub resume: bool,
    /// Save here instead of `.study/checkpoints/TASK-NORM-PATH.safetensors`; an earlier training that is there is kept as
    /// `NAME.backup-1.safetensors`
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Steps from one save to the next
    #[arg(long, value_name = "N", default_value = "100", value_parser = whole(1, MOST), allow_hyphen_values = true)]
    pub save_every: usize,
    /// Save nothing
    #[arg(long, conflicts_with = "checkpoint")]
    pub no_checkpoint: bool,
    /// Write settings and results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The most steps and sequences per step: far more than week 5's model needs.
const MOST: usize = 1_000_000;
/// The longest sequence: what is learned is tried on many sequences at once, and each needs the square of its length.
const LONGEST: usize = 1000;
/// The most that the sequences of a step may have together of such squares: with four heads, and all that the way back
/// needs, a training takes about 6 GB then.
const SQUARES: usize = 1 << 24;

fn is_rate(number: f64) -> bool {
    number > 0. && number.is_finite()
}

fn is_share(number: f64) -> bool {
    (0. ..=1.).contains(&number)
}

fn drops(number: f64) -> bool {
    (0. ..1.).contains(&number)
}

/// `10`, or `1..=20`, written as Rust writes a range with both ends.
fn lengths(typed: &str) -> Result<RangeInclusive<usize>, String> {
    let (shortest, longest) = typed.split_once("..=").unwrap_or((typed, typed));
    match (shortest.parse(), longest.parse()) {
        (Ok(shortest), Ok(longest))
            if 0 < shortest && shortest <= longest && longest <= LONGEST =>
        {
            Ok(shortest..=longest)
        }
        _ => Err(format!(
            "expected a number from 1 to {LONGEST}, or two as in `1..=20`, both included, the lower one first"
        )),
    }
}

impl Options {
    /// `TASK-NORM-PATH`, as this training's files are called.
    pub fn name(&self) -> String {
        let path = if self.mine { "mine" } else { &self.path };
        format!("{}-{}-{path}", self.task, self.norm)
    }

    /// Where the training is saved, unless it is not to be; `home` is where the course keeps such things.
    pub fn file(&self, home: &Path) -> Option<PathBuf> {
        let own = || folder(home).join(format!("{}.safetensors", self.name()));
        (!self.no_checkpoint).then(|| self.checkpoint.clone().unwrap_or_else(own))
    }

    /// What is not as it must be, and can be told before anything is compiled; trainings are kept in `home`.
    pub fn check(&self, home: &Path) -> Result<(), String> {
        cpu_only(&self.device)?;
        let longest = *self.lengths.end();
        let most = SQUARES / (longest * longest);
        if self.batch > most {
            return Err(format!(
                "--batch {}: expected at most {most} with sequences of {longest} tokens, or the step takes more than 6 GB",
                self.batch
            ));
        }
        if let Some(file) = &self.json {
            files::results("--json", file)?;
        }
        let Some(file) = self.file(home) else { return Ok(()) };
        let named = if self.checkpoint.is_some() { "--checkpoint" } else { "the checkpoint" };
        files::place(named, &file)?;
        if self.json.as_ref() == Some(&file) {
            return Err("--json: expected another file than --checkpoint names".to_owned());
        }
        if self.resume && !file.exists() {
            return Err(format!("there is no checkpoint `{}`: {}", file.display(), others(home)));
        }
        Ok(())
    }
}

fn folder(home: &Path) -> PathBuf {
    home.join("checkpoints")
}

/// What to do when a checkpoint is not there: with the names of those that are.
fn others(home: &Path) -> String {
    let entries = std::fs::read_dir(folder(home)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let own = |name: &String| {
        name.ends_with(".safetensors") && !name.starts_with('.') && !name.contains(".backup-")
    };
    let mut names: Vec<String> = names.filter(own).collect();
    names.sort();
    let told = match names.is_empty() {
        true => String::new(),
        false => format!(
            ". These are in `{}`, as TASK-NORM-PATH: {}",
            folder(home).display(),
            names.join(", ")
        ),
    };
    format!("train without --resume first, or name the file with --checkpoint{told}")
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

    fn read(line: &str) -> Result<Options, String> {
        let words = std::iter::once("train").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.options).map_err(|error| error.to_string())
    }

    #[test]
    fn every_number_is_judged_with_what_would_fit() {
        for (line, says) in [
            ("--batch 0", "'--batch <N>': expected a whole number from 1 to 1000000"),
            ("--batch -1", "'--batch <N>': expected a whole number from 1 to 1000000"),
            ("--batch 1000000000000000000000", "expected a whole number from 1 to 1000000"),
            ("--batch 1.5", "expected a whole number from 1 to 1000000"),
            ("--steps 0", "'--steps <N>': expected a whole number from 1"),
            ("--steps -3", "'--steps <N>': expected a whole number from 1"),
            ("--seed -1", "expected a whole number from 0 to 18446744073709551615"),
            ("--rate 0", "'--rate <RATE>': expected a number above 0"),
            ("--rate -1e-3", "expected a number above 0"),
            ("--rate inf", "expected a number above 0"),
            ("--rate NaN", "expected a number above 0"),
            ("--warmup -1", "expected a whole number from 0 to 1000000"),
            ("--smoothing 1.1", "expected a share from 0 to 1"),
            ("--smoothing -0.1", "expected a share from 0 to 1"),
            ("--dropout 1", "expected a probability from 0 on, below 1"),
            ("--threads 0", "expected a whole number from 1 to 1024"),
            ("--threads 5000", "expected a whole number from 1 to 1024"),
            ("--save-every 0", "expected a whole number from 1 to 1000000"),
            ("--lengths 0", "expected a number from 1 to 1000, or two as in `1..=20`"),
            ("--lengths ten", "both included, the lower one first"),
            ("--lengths 1..20", "or two as in `1..=20`"),
            ("--lengths 5..=3", "the lower one first"),
            ("--lengths -2", "expected a number from 1 to 1000"),
            ("--lengths 1..=18446744073709551615", "expected a number from 1 to 1000"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
        assert_eq!(read("--lengths 1..=20").unwrap().lengths, 1..=20);
        assert_eq!(read("--seed 0 --batch 1000000").unwrap().batch, 1_000_000);
    }

    #[test]
    fn what_memory_can_not_hold_is_not_begun() {
        let home = Path::new("nowhere");
        for (line, most) in [
            ("--lengths 1000 --batch 17", Some("at most 16 with sequences of 1000 tokens")),
            ("--lengths 1..=500 --batch 1000", Some("at most 67 with")),
            ("--lengths 1000 --batch 16", None),
            ("--lengths 4 --batch 1000000", None),
        ] {
            let error = read(line).unwrap().check(home).err();
            assert_eq!(error.is_some(), most.is_some(), "{line}");
            assert!(error.unwrap_or_default().contains(most.unwrap_or_default()), "{line}");
        }
    }

    #[test]
    fn a_checkpoint_that_is_not_there_is_told_with_those_that_are() {
        let home = std::env::temp_dir().join(format!("options-train-{}", std::process::id()));
        let resume = read("--resume --task sort").unwrap();
        let none = resume.check(&home).unwrap_err();
        assert!(none.contains("sort-pre-readable.safetensors`: train without --resume"), "{none}");
        assert!(!none.contains("TASK"), "{none}");
        std::fs::create_dir_all(folder(&home)).unwrap();
        for name in ["copy-post-fast.safetensors", "a.backup-1.safetensors", ".a.lock"] {
            std::fs::write(folder(&home).join(name), "").unwrap();
        }
        let one = resume.check(&home).unwrap_err();
        assert!(one.ends_with("as TASK-NORM-PATH: copy-post-fast.safetensors"), "{one}");
        assert_eq!(read("--resume --path fast --norm post").unwrap().check(&home), Ok(()));
        let named = read("--checkpoint a.json --json a.json").unwrap();
        assert!(named.check(&home).unwrap_err().contains("another file"));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
