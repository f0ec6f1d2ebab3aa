//! `mdbook-cells`: the course's mdBook preprocessor, and the writer of its notebooks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use mdbook_cells::notebook::{self, Notebook};
use mdbook_cells::source::Source;
use mdbook_cells::{accept, draft, preprocess};

/// Makes notebooks from the pages of the book. Without a command it is an mdBook preprocessor:
/// it reads a book from standard input and writes it to standard output.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Tells mdBook whether pages are made for this renderer (exit status 0) or not (1).
    Supports {
        /// The renderer's name; only `html` is supported.
        renderer: String,
    },
    /// Writes the notebook of a page, not run.
    Notebook {
        /// The page: `02-scaling`.
        stem: String,
        /// Where to write the notebook.
        #[arg(long)]
        out: PathBuf,
        /// Keep the committed notebook's outputs of all cells whose code is unchanged.
        #[arg(long)]
        with_outputs: bool,
        /// Put each solution in place of its stub, to test the notebook's own checks.
        #[arg(long, conflicts_with = "with_outputs")]
        solved: bool,
    },
    /// Takes in a notebook that was run, cleaned, as the committed notebook of its page.
    Accept {
        /// The page: `02-scaling`.
        stem: String,
        /// The notebook that was run.
        #[arg(long)]
        executed: PathBuf,
        /// Write nothing; fail if an output differs from the committed notebook's.
        #[arg(long)]
        check: bool,
    },
    /// Fails unless every check of a notebook that was run with solutions passed, and every other output is as committed.
    Passed {
        /// The page: `02-scaling`.
        stem: String,
        /// The notebook that was run.
        #[arg(long)]
        executed: PathBuf,
    },
    /// Fails if the cells of a page differ from those of its committed notebook.
    Fresh {
        /// The pages; all that have a notebook if none is given.
        stems: Vec<String>,
    },
}

/// How many differences are printed.
const SHOWN: usize = 5;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked; whether all was well.
fn run(arguments: Arguments) -> Result<bool> {
    let here = Path::new(".");
    match arguments.command {
        None => preprocess_book().map(|()| true),
        Some(Command::Supports { renderer }) => Ok(renderer == "html"),
        Some(Command::Notebook { stem, out, with_outputs, solved }) => {
            let source = Source::load(here)?;
            let page = source.page(&stem)?;
            let page = if solved { page.solved() } else { page };
            let mut notebook = source.draft(&page)?;
            if with_outputs {
                notebook = draft::with_outputs(notebook, &page, &source.committed(&stem)?);
            }
            notebook.write(&out).map(|()| true)
        }
        Some(Command::Accept { stem, executed, check }) => accept(here, &stem, &executed, check),
        Some(Command::Passed { stem, executed }) => passed(here, &stem, &executed),
        Some(Command::Fresh { stems }) => fresh(&Source::load(here)?, stems),
    }
}

fn preprocess_book() -> Result<()> {
    let (context, book) = mdbook_preprocessor::parse_input(std::io::stdin())
        .context("no book on standard input; mdBook runs this program, or see --help")?;
    let expected = mdbook_preprocessor::MDBOOK_VERSION;
    if context.mdbook_version != expected {
        eprintln!("warning: made for mdBook {expected}, run by {}", context.mdbook_version);
    }
    let book = preprocess::book(&context, book)?;
    serde_json::to_writer(std::io::stdout().lock(), &book).context("can't hand the book to mdBook")
}

fn accept(start: &Path, stem: &str, executed: &Path, check: bool) -> Result<bool> {
    let source = Source::load(start)?;
    let page = source.page(stem)?;
    let executed = Notebook::read(executed)?;
    let accepted = accept::accept(&page, source.draft(&page)?, executed, source.root())
        .with_context(|| format!("notebook `{stem}`"))?;
    if !check {
        accepted.write(&notebook::path(source.root(), stem))?;
        return Ok(true);
    }
    Ok(print(stem, &accept::differences(&page, &source.committed(stem)?, &accepted, false)?))
}

/// Prints differences; whether there are none.
fn print(stem: &str, differences: &[String]) -> bool {
    for difference in differences.iter().take(SHOWN) {
        println!("{stem}: {difference}");
    }
    if differences.len() > SHOWN {
        println!("{stem}: and {} cells more", differences.len() - SHOWN);
    }
    differences.is_empty()
}

fn passed(start: &Path, stem: &str, executed: &Path) -> Result<bool> {
    let source = Source::load(start)?;
    let (page, executed) = (source.page(stem)?, Notebook::read(executed)?);
    let failed = accept::not_passed(&executed);
    for (check, said) in &failed {
        println!("{check}\n{said}\n");
    }
    let solved = page.clone().solved();
    let accepted = accept::accept(&solved, source.draft(&solved)?, executed, source.root())
        .with_context(|| format!("notebook `{stem}`"))?;
    let differences = accept::differences(&page, &source.committed(stem)?, &accepted, true)?;
    Ok(print(stem, &differences) && failed.is_empty())
}

fn fresh(source: &Source, stems: Vec<String>) -> Result<bool> {
    let stems = match stems.as_slice() {
        [] => source.stems().into_iter().map(str::to_owned).collect(),
        _ => stems,
    };
    let mut all = true;
    for stem in stems {
        let page = source.page(&stem)?;
        if !notebook::path(source.root(), &stem).is_file() {
            println!("{stem}: has no notebook; run `cargo study notebooks {stem}`");
            all = false;
        } else if !draft::is_fresh(&page, &source.committed(&stem)?) {
            println!(
                "{stem}: cells differ from its notebook's; run `cargo study notebooks {stem}`"
            );
            all = false;
        }
    }
    Ok(all)
}
