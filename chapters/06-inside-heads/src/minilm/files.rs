//! Where the model's files are, and what to say when they are not.

use candle_core::{Error, Result, bail};
use std::path::{Path, PathBuf};

pub use places::home;

/// The file with the weights, and its size in bytes.
pub const WEIGHTS: (&str, u64) = ("model.safetensors", 90_868_376);
/// The file with the tokens, one per line.
pub const VOCABULARY: (&str, u64) = ("vocab.txt", 231_508);

/// What to type when something is wrong.
const ADVICE: &str = "type `cargo study fetch minilm`";

/// The folder that `cargo study fetch minilm` puts the model into.
pub fn fetched() -> PathBuf {
    home().join("models").join("minilm")
}

/// The path of `file` in `folder`, when it is there.
pub fn find(folder: &Path, (name, _): (&str, u64)) -> Result<PathBuf> {
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{}: no such file; {ADVICE}", path.display());
    }
    Ok(path)
}

/// The error for a file that is there and cannot be used.
pub fn damaged(path: &Path, error: Error) -> Error {
    let expected =
        [WEIGHTS, VOCABULARY].into_iter().find(|(name, _)| path.ends_with(name));
    let got = std::fs::metadata(path).map(|file| file.len());
    let size = match (expected, got) {
        (Some((_, expected)), Ok(got)) if expected != got => {
            format!(" (expected {expected} bytes; got {got})")
        }
        _ => String::new(),
    };
    // The first line is the message; the rest is a backtrace.
    let error = error.to_string();
    let error = error.lines().next().unwrap_or_default();
    Error::msg(format!(
        "{}: not all-MiniLM-L6-v2's{size}: {error}; {ADVICE}",
        path.display()
    ))
}
