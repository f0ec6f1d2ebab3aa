//! What the program is asked for. `cargo study visualize` explains and checks it; with clap's derive here too, candle
//! would be compiled once more, for it shares crates with it.

use candle_core::{Error, Result, bail};
use std::path::PathBuf;

/// What to draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A name, or a checkpoint of `cargo study train`.
    pub model: String,
    /// What the model reads.
    pub text: Option<String>,
    /// Only this layer.
    pub layer: Option<usize>,
    /// Only this head.
    pub head: Option<usize>,
    /// Where the pictures go.
    pub out: Option<PathBuf>,
    /// Where the model is computed.
    pub device: String,
}

impl Options {
    /// Reads `--name value` pairs.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options =
            Self { model: "minilm".into(), device: "auto".into(), ..Self::default() };
        while let Some(name) = arguments.next() {
            let Some(value) = arguments.next() else {
                bail!("{name}: expected a value behind it");
            };
            let number = || {
                let fail =
                    |_| Error::msg(format!("{name}: expected a number; got `{value}`"));
                value.parse().map(Some).map_err(fail)
            };
            match name.as_str() {
                "--layer" => options.layer = number()?,
                "--head" => options.head = number()?,
                "--model" => options.model = value,
                "--text" => options.text = Some(value),
                "--out" => options.out = Some(value.into()),
                "--device" => options.device = value,
                _ => bail!(
                    "{name}: expected --model, --text, --layer, --head, --device or --out"
                ),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        Options::read(line.split(' ').map(String::from))
    }

    #[test]
    fn pairs_are_read() -> Result<()> {
        let options = read("--model copy --head 2 --out pictures")?;
        assert_eq!(
            (options.model.as_str(), options.head, options.layer),
            ("copy", Some(2), None)
        );
        assert_eq!(options.out, Some("pictures".into()));
        Ok(())
    }

    #[test]
    fn a_slip_is_named() {
        for (line, says) in [
            ("--text", "--text: expected a value"),
            ("--layer two", "--layer: expected a number; got `two`"),
            ("--colour red", "--colour: expected --model"),
        ] {
            assert!(read(line).unwrap_err().to_string().starts_with(says), "{line}");
        }
    }
}
