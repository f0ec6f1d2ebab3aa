//! `cargo study train`: week 5's Transformer, trained by the program `train` of its package.

/// The options, in the file of the program that obeys them: one list, one help.
#[allow(dead_code, reason = "all but one are only handed on")]
#[path = "../../../../chapters/05-transformer/src/bin/train/options.rs"]
mod options;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use options::Options;
use workbook::Chapter;

use crate::cargo::{broken_package, cargo, compile};
use crate::checks::{self, Errors, Outcome, Report};
use crate::context::Context;
use crate::interrupt;
use crate::names;
use crate::process;
use crate::report::State;
use crate::ui::{Stream, bad, open};

/// Train week 5's Transformer, and see how many fresh sequences it gets right
#[derive(Args)]
#[command(after_help = "Examples: cargo study train
          cargo study train --task sort --norm post
          cargo study train --lengths 1..=20 --json result.json
          cargo study train --mine
          cargo study train --resume

Ctrl-C saves, and says how to go on. `--mine` first runs the checks of the exercises that the model is made of.")]
pub struct Train {
    #[command(flatten)]
    options: Options,
}

/// The package of the program.
const PACKAGE: &str = "transformer";

/// The exercises that a model made of the learner's code calls, chapter by chapter.
const USED: [(&str, &[&str]); 2] = [
    ("multi-head", &["MultiHeadAttention"]),
    (
        PACKAGE,
        &[
            "positional_encoding",
            "layer_norm",
            "residual",
            "encoder_layer",
            "decoder_layer",
            "label_smoothing",
            "greedy_decode",
        ],
    ),
];

impl Train {
    /// Trains, with the learner's own code only when it passes its checks.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let chapters = context.chapters()?;
        if self.options.mine && !passes(context, &chapters)? {
            return Ok(ExitCode::FAILURE);
        }
        let here = env::current_dir().context("the current folder can't be read")?;
        let program = ["--package", PACKAGE, "--bin", "train"];
        let build = [&["build"], &program[..]].concat();
        let built = compile(cargo(&here, &build), &format!("Compiling {PACKAGE}"))?;
        if !built.status.success() {
            // Once more, straight to the terminal: cargo knows best how to show an error.
            process::foreground(cargo(&here, &[&build[..], &["--quiet"]].concat()))?;
            let advice = checks::broken_advice(
                context,
                &names::chapter(&chapters, PACKAGE)?,
                broken_package(&built.stderr),
            )?;
            eprintln!("\n{} {advice}", bad("✗", Stream::Err));
            return Ok(ExitCode::FAILURE);
        }
        interrupt::check()?;
        let mut command = cargo(&here, &[&["run", "--quiet"], &program[..], &["--"]].concat());
        command.args(env::args_os().skip(2)); // behind `study train`
        Ok(process::same(process::foreground(command)?))
    }
}

/// Whether the learner's code that the model is made of passes its checks; says what does not, and what to type.
fn passes(context: &Context, chapters: &[Chapter]) -> Result<bool> {
    let mut missing = Vec::new();
    for (package, exercises) in USED {
        let chapter = names::chapter(chapters, package)?;
        match checks::run(context, &chapter, Errors::Show)? {
            Outcome::Broken(package) => {
                let advice = checks::broken_advice(context, &chapter, package.as_deref())?;
                eprintln!("\n{} {advice}", bad("✗", Stream::Err));
                return Ok(false);
            }
            Outcome::Ran(report) => missing.extend(open_ones(&chapter, &report, exercises)?),
        }
    }
    let Some((first, _)) = missing.first() else {
        return Ok(true);
    };
    eprintln!("`--mine` trains your code, and these exercises do not pass yet:\n");
    for (path, state) in &missing {
        match state {
            State::Failed => eprintln!("  {} {path}", bad("✗", Stream::Err)),
            _ => eprintln!("  {} {path} (not solved yet)", open("○", Stream::Err)),
        }
    }
    eprintln!("\nNext: type `cargo study check {first}`.");
    Ok(false)
}

/// Which of `used`, and of the exercises that the learner's code for them calls, do not pass.
fn open_ones(chapter: &Chapter, report: &Report, used: &[&str]) -> Result<Vec<(String, State)>> {
    let file = chapter.exercise_path();
    let source = std::fs::read_to_string(&file)
        .with_context(|| format!("can't read `{}`", file.display()))?;
    let all: Vec<&str> = report.exercises().iter().map(String::as_str).collect();
    let needed = needed(&source, &all, used);
    let in_order = all.iter().filter(|name| needed.contains(name));
    let states = in_order.map(|name| (names::path(chapter, name), report.state(name)));
    Ok(states.filter(|(_, state)| *state != State::Passed).collect())
}

/// `used`, what their code in `source` calls of the exercises `all`, what that calls, and so on.
fn needed<'a>(source: &str, all: &[&'a str], used: &[&'a str]) -> Vec<&'a str> {
    let mut needed = used.to_vec();
    let mut at = 0;
    while at < needed.len() {
        let code = without_others(source, all, needed[at]);
        for name in all {
            if !needed.contains(name) && calls(&code, name) {
                needed.push(name);
            }
        }
        at += 1;
    }
    needed
}

/// The code of `source`, comments left out, without the regions of the exercises other than `name`: a function of
/// the learner's own may stand anywhere.
fn without_others(source: &str, all: &[&str], name: &str) -> String {
    let mut within = None;
    let mut code = String::new();
    for line in source.lines() {
        let line = line.trim();
        if let Some(begun) = line.strip_prefix("// ANCHOR: ") {
            within = Some(begun).filter(|begun| *begun != name && all.contains(begun));
        } else if line.starts_with("// ANCHOR_END: ") {
            within = None;
        } else if within.is_none() {
            code.push_str(line.split("//").next().unwrap_or_default());
            code.push('\n');
        }
    }
    code
}

/// Whether `code` calls the learner's own `name`, not the course's.
fn calls(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let after = &code[at + name.len()..];
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let whole = !code[..at].ends_with(part) && !after.starts_with(part);
        whole && !before.ends_with("solution::") && !before.ends_with("fn")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
// ANCHOR: split
pub fn split() { todo!() }
// ANCHOR_END: split

// ANCHOR: repeat
pub fn repeat() { todo!() }
// ANCHOR_END: repeat

// ANCHOR: drop
pub fn drop() { repeat() }
// ANCHOR_END: drop

// ANCHOR: Attention
/// Like `split()`.
impl Attention {
    fn forward() { CALL }
}
// ANCHOR_END: Attention

fn own() { HELP }
";

    fn needed_with(call: &str, help: &str) -> Vec<&'static str> {
        let source = SOURCE.replace("CALL", call).replace("HELP", help);
        needed(&source, &["split", "repeat", "drop", "Attention"], &["Attention"])
    }

    #[test]
    fn what_the_learners_code_calls_is_needed() {
        assert_eq!(needed_with("1", "1"), ["Attention"]);
        assert_eq!(needed_with("split(x)", "1"), ["Attention", "split"]);
        assert_eq!(needed_with("drop(x)", "1"), ["Attention", "drop", "repeat"]);
        assert_eq!(needed_with("map(drop)", "split ()"), ["Attention", "split", "drop", "repeat"]);
    }

    #[test]
    fn what_the_course_has_is_not_needed() {
        assert_eq!(needed_with("crate::solution::split(x)", "1"), ["Attention"]);
        assert_eq!(needed_with("split_heads(x) + my_split(x) // split(x)", "1"), ["Attention"]);
    }
}
