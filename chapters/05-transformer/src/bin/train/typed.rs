//! What to type: commands that go on from here.

use crate::places::shown;
use std::{env, path::Path};

/// What was typed, with `--resume`.
pub fn resume() -> String {
    command(own(|name| name == "--resume").chain(["--resume".to_owned()]))
}

/// What was typed, for a new checkpoint beside `path`.
pub fn into_another_file(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut other = path.with_file_name(format!("{stem}-2"));
    if let Some(extension) = path.extension() {
        other.set_extension(extension);
    }
    let rest = own(|name| ["--resume", "--checkpoint"].contains(&name));
    command(rest.chain(["--checkpoint".to_owned(), shown(&other)]))
}

/// What goes on with the checkpoint `file` of a training that `arguments` ask for.
pub fn going_on(arguments: Vec<String>, file: &Path) -> String {
    let own = ["--checkpoint".to_owned(), shown(file), "--resume".to_owned()];
    command(arguments.into_iter().chain(own))
}

/// The arguments of this program, without those options, and their values, that `left_out` names.
fn own(left_out: fn(&str) -> bool) -> impl Iterator<Item = String> {
    without(env::args().skip(1), left_out)
}

fn without(
    arguments: impl Iterator<Item = String>,
    left_out: fn(&str) -> bool,
) -> impl Iterator<Item = String> {
    let mut value = false;
    arguments.filter(move |argument| {
        let is_value = std::mem::take(&mut value);
        let (name, inline) = match argument.split_once('=') {
            Some((name, _)) if name.starts_with("--") => (name, true),
            _ => (argument.as_str(), false),
        };
        let out = left_out(name);
        // Of what is left out, only `--resume` stands alone.
        value = out && !inline && name != "--resume";
        !out && !is_value
    })
}

fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["cargo study train".to_owned()];
    words.extend(arguments.map(|argument| quoted(&argument)));
    words.join(" ")
}

fn quoted(argument: &str) -> String {
    match argument.contains(char::is_whitespace) || argument.is_empty() {
        true => format!("\"{argument}\""),
        false => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_fall_away_with_their_values() {
        let kept = |line: &str| {
            let words = line.split(' ').map(str::to_owned);
            let out = |name: &str| ["--resume", "--checkpoint"].contains(&name);
            without(words, out).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept("--checkpoint a --batch 2 --resume"), "--batch 2");
        assert_eq!(kept("--batch 2 --checkpoint=a --mine"), "--batch 2 --mine");
        assert_eq!(kept("--resume --task=sort"), "--task=sort");
    }

    #[test]
    fn what_holds_a_blank_is_quoted() {
        let words = ["--checkpoint", "my file"].map(str::to_owned).into_iter();
        assert_eq!(command(words), "cargo study train --checkpoint \"my file\"");
    }
}
