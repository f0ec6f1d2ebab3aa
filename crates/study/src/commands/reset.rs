//! `cargo study reset`: the stub again, with the learner's file kept.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use workbook::Chapter;

use super::exit;
use crate::context::Context;
use crate::names::{self, Target};
use crate::{backup, line_ends, regions};

/// Start a chapter or one exercise over; your file is kept as a backup
#[derive(Args)]
#[command(
    after_help = "Examples: cargo study reset scaling\n          cargo study reset scaling::softmax\n\nThe backup is next to the file: exercise.backup-1.rs, then -2 and so on."
)]
pub struct Reset {
    /// A chapter (`scaling`, `2`) or an exercise (`scaling::softmax`)
    #[arg(required_unless_present = "check")]
    name: Option<String>,
    /// Change nothing: fail when an exercise file differs from its stub (for the course's own tests)
    #[arg(long)]
    check: bool,
}

impl Reset {
    /// Writes the stub, or compares.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let chapters = context.chapters()?;
        let target = self.name.as_deref().map(|name| names::target(&chapters, name)).transpose()?;
        match target {
            _ if self.check => {
                let chosen = match target {
                    Some(Target::Chapter(chapter) | Target::Exercise(chapter, _)) => vec![chapter],
                    None => chapters,
                };
                compare(context, &chosen)
            }
            Some(Target::Chapter(chapter)) => {
                let stub = chapter.stub_file()?;
                write(context, &chapter, &stub, &chapter.package)
            }
            Some(Target::Exercise(chapter, exercise)) => {
                let path = chapter.exercise_path();
                let mine = fs::read_to_string(&path).with_context(|| {
                    format!(
                        "can't read `{}`: type `cargo study reset {}`",
                        path.display(),
                        chapter.package
                    )
                })?;
                let restored = regions::restored(&mine, &chapter.stub_file()?, &exercise.name)
                    .with_context(|| {
                        format!(
                            "{}: type `cargo study reset {}` for the whole file",
                            context.shown(&path),
                            chapter.package
                        )
                    })?;
                write(context, &chapter, &restored, &names::path(&chapter, &exercise.name))
            }
            None => bail!("name a chapter or an exercise: `cargo study reset scaling`"),
        }
    }
}

/// Keeps the learner's file and writes `text` in its place; `what` is being reset.
fn write(context: &Context, chapter: &Chapter, text: &str, what: &str) -> Result<ExitCode> {
    let path = chapter.exercise_path();
    let shown = context.shown(&path);
    let mut text = text.to_owned();
    if path.exists() {
        let mine = fs::read(&path).with_context(|| format!("can't read `{}`", path.display()))?;
        let mine = String::from_utf8_lossy(&mine);
        if line_ends::same(&mine, &text) {
            println!("`{what}` is already unsolved: nothing was changed.");
            return Ok(ExitCode::SUCCESS);
        }
        text = line_ends::like(&mine, &text);
        let kept = backup::keep(&path)?;
        println!("Your file is kept as {}.", context.shown(&kept));
    }
    backup::replace(&path, &text)?;
    println!("`{what}` is unsolved again in {shown}.\nNext: `cargo study check {what}`.");
    Ok(ExitCode::SUCCESS)
}

fn compare(context: &Context, chapters: &[Chapter]) -> Result<ExitCode> {
    let mut differing = 0;
    for chapter in chapters {
        let path = chapter.exercise_path();
        let same = match fs::read_to_string(&path) {
            Ok(text) => line_ends::same(&text, &chapter.stub_file()?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => {
                return Err(error).with_context(|| format!("can't read `{}`", path.display()));
            }
        };
        if !same {
            differing += 1;
            println!(
                "{} differs from the stub: type `cargo study reset {}`.",
                context.shown(&path),
                chapter.package
            );
        }
    }
    if differing == 0 {
        println!("The exercise files of all {} chapters equal their stubs.", chapters.len());
    }
    Ok(exit(differing > 0))
}
