//! `cargo study notebooks`: runs the pages' cells and saves what they print.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::exit;
use crate::context::Context;
use crate::nearest::suggestion;
use crate::process;
use crate::tools::jupyter::Jupyter;
use crate::tools::program::Program;
use crate::tools::scratch::Scratch;
use crate::ui::{Stream, bad, good};

/// Write the pages' notebooks and run them (for authors of pages)
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study notebooks 02-scaling\n          cargo study notebooks --check\n          cargo study notebooks --solved 2\n\nOnly a page whose cells have changed needs this; changes to prose do not."
)]
pub struct Notebooks {
    /// Pages, by stem (`02-scaling`) or week (`2`); if left out, every page with cells
    stems: Vec<String>,
    /// Change nothing: fail when an output differs from the notebook's
    #[arg(long)]
    check: bool,
    /// Change nothing: run with each solution in place of its stub, and fail unless every check passes and every other
    /// output equals the notebook's
    #[arg(long, conflicts_with = "check")]
    solved: bool,
}

/// Turns pages into notebooks, and takes in those that were run.
const CELLS: Program = Program::new("mdbook-cells");

/// The longest a cell may run, in seconds.
const TIMEOUT: u32 = 600;

impl Notebooks {
    /// Runs notebook after notebook; with `--check`, all of them before it fails.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let stems = self.chosen(&pages(&context.root().join("book"))?)?;
        let jupyter = Jupyter::ensure(context)?;
        CELLS.build(context)?;
        let mut failed = Vec::new();
        for stem in &stems {
            match self.one(context, &jupyter, stem) {
                Ok(took) => eprintln!("{} {stem} ({took})", good("✓", Stream::Err)),
                Err(error) if error.is::<crate::interrupt::Interrupted>() => return Err(error),
                Err(error) => {
                    eprintln!("{} {stem}: {error:#}\n", bad("✗", Stream::Err));
                    failed.push(stem.as_str());
                }
            }
        }
        if failed.is_empty() {
            eprintln!("All {} notebooks are up to date.", stems.len());
        } else {
            eprintln!(
                "Failed: {}. Fix the cells, then type `cargo study notebooks {}`.",
                failed.join(", "),
                failed.join(" ")
            );
        }
        Ok(exit(!failed.is_empty()))
    }

    fn chosen(&self, pages: &[String]) -> Result<Vec<String>> {
        if self.stems.is_empty() {
            return Ok(pages.to_vec());
        }
        let find = |typed: &String| {
            let typed = typed.trim_end_matches(".md").trim_end_matches(".ipynb");
            let week =
                |stem: &str| stem.split('-').next().and_then(|week| week.parse::<u32>().ok());
            let called = |stem: &&String| {
                *stem == typed
                    || stem.split_once('-').is_some_and(|(_, topic)| topic == typed)
                    || typed.parse().is_ok_and(|number| week(stem) == Some(number))
            };
            let known = || pages.iter().map(String::as_str);
            pages.iter().find(called).cloned().with_context(|| {
                format!(
                    "no page with cells is called `{typed}`.{} They are: {}.",
                    suggestion(typed, known()),
                    pages.join(", ")
                )
            })
        };
        self.stems.iter().map(find).collect()
    }

    fn one(&self, context: &Context, jupyter: &Jupyter, stem: &str) -> Result<String> {
        // Not among the notebooks, where a commit made meanwhile would pick it up.
        let scratch = Scratch::new(context.home())?;
        let file = scratch.path().join(format!("{stem}.ipynb"));
        let solved: &[&str] = if self.solved { &["--solved"] } else { &[] };
        cells(context, &["notebook", stem, "--out"], &file, solved)?;
        let run = jupyter.execute(&file, TIMEOUT, stem)?;
        if let Some(fault) = run.fault() {
            bail!("{fault}");
        }
        if self.solved {
            cells(context, &["passed", stem, "--executed"], &file, &[])?;
            return Ok(run.took);
        }
        let check: &[&str] = if self.check { &["--check"] } else { &[] };
        cells(context, &["accept", stem, "--executed"], &file, check)?;
        Ok(run.took)
    }
}

/// Runs `mdbook-cells`; what it says is the error when it fails.
fn cells(context: &Context, before: &[&str], file: &Path, after: &[&str]) -> Result<()> {
    let mut command = CELLS.command(context, context.root());
    command.args(before).arg(file).args(after);
    let finished = process::run(command, |_| ())?;
    if !finished.status.success() {
        bail!("{}", finished.output());
    }
    Ok(())
}

/// The stems of the pages that have cells, in order.
fn pages(book: &Path) -> Result<Vec<String>> {
    let fail = || format!("can't list the pages in `{}`", book.display());
    let mut stems = Vec::new();
    for entry in fs::read_dir(book).with_context(fail)? {
        let path = entry.with_context(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "md") && has_cells(&path)? {
            stems.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    stems.sort();
    Ok(stems)
}

fn has_cells(page: &Path) -> Result<bool> {
    let text =
        fs::read_to_string(page).with_context(|| format!("can't read `{}`", page.display()))?;
    Ok(text.lines().any(|line| {
        let info = line.strip_prefix("```").unwrap_or_default();
        let mut words = info.split(',').map(str::trim);
        words.next() == Some("rust") && words.any(|word| word == "cell")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_cells_are_found_and_named() {
        let book = tempfile::tempdir().unwrap();
        let page = |name: &str, text: &str| fs::write(book.path().join(name), text).unwrap();
        page("02-scaling.md", "a\n```rust,cell,timing\n```\n");
        page("00-setting-up.md", "```rust,cell\n```\n");
        page("SUMMARY.md", "```rust\nlet cell = 1;\n```\n");
        let found = pages(book.path()).unwrap();
        assert_eq!(found, ["00-setting-up", "02-scaling"]);
        let chosen = |typed: &str| {
            Notebooks { stems: vec![typed.to_owned()], check: false, solved: false }.chosen(&found)
        };
        for typed in ["02-scaling", "scaling", "2", "02", "02-scaling.md"] {
            assert_eq!(chosen(typed).unwrap(), ["02-scaling"]);
        }
        assert!(
            chosen("02-scalling").unwrap_err().to_string().contains("Did you mean `02-scaling`?")
        );
    }
}
