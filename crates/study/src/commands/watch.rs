//! `cargo study watch`: checks a chapter whenever its exercise file is saved.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use workbook::Chapter;

use super::check::{Scope, check};
use crate::context::Context;
use crate::limit::Limit;
use crate::saves::Saves;
use crate::ui::{Stream, bad};
use crate::{interrupt, names};

/// Check a chapter each time you save its exercise file; Ctrl-C stops it
#[derive(Args)]
#[command(
    after_help = "Example: cargo study watch scaling\n\nWithout a name, it watches every chapter."
)]
pub struct Watch {
    /// A chapter (`scaling`, `2`)
    chapter: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// How long it waits between two looks at the files.
const LOOK: Duration = Duration::from_millis(200);

impl Watch {
    /// Watches until Ctrl-C.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        self.limit.set(context);
        let all = context.chapters()?;
        let watched = match &self.chapter {
            Some(typed) => vec![names::chapter(&all, typed)?],
            None => all,
        };
        let Err(error) = watch(context, &watched, self.chapter.is_some());
        if error.is::<interrupt::Interrupted>() && !interrupt::dismissed() {
            return Ok(ExitCode::SUCCESS);
        }
        Err(error)
    }
}

fn watch(
    context: &Context,
    chapters: &[Chapter],
    check_now: bool,
) -> Result<std::convert::Infallible> {
    let mut saves = Saves::of(chapters.iter().map(Chapter::exercise_path));
    if check_now && let [chapter] = chapters {
        once(context, chapter)?;
    }
    waiting();
    loop {
        interrupt::check()?;
        std::thread::sleep(LOOK);
        let saved = saves.look();
        for &at in &saved {
            println!();
            once(context, &chapters[at])?;
        }
        if !saved.is_empty() {
            waiting();
        }
    }
}

/// Checks; what can't be checked now is told, and may be mended by the next save.
fn once(context: &Context, chapter: &Chapter) -> Result<()> {
    match check(context, chapter, Scope::Chapter) {
        Err(error) if !error.is::<interrupt::Interrupted>() => {
            eprintln!("{} {error:#}", bad("error:", Stream::Err));
            Ok(())
        }
        checked => checked.map(drop),
    }
}

fn waiting() {
    println!("\nWaiting for you to save an exercise.rs … (Ctrl-C stops)");
}
