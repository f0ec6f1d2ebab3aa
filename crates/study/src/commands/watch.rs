//! `cargo study watch`: checks a chapter whenever its exercise file is saved.

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use notify_debouncer_mini::{new_debouncer, notify::RecursiveMode};
use workbook::Chapter;

use super::check::{Scope, check};
use crate::context::Context;
use crate::{interrupt, names};

/// Check a chapter each time you save its exercise file; Ctrl-C stops it
#[derive(Args)]
#[command(
    after_help = "Example: cargo study watch scaling\n\nWithout a name, it watches every chapter."
)]
pub struct Watch {
    /// A chapter (`scaling`, `2`)
    chapter: Option<String>,
}

impl Watch {
    /// Watches until Ctrl-C.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let all = context.chapters()?;
        let watched = match &self.chapter {
            Some(typed) => vec![names::chapter(&all, typed)?],
            None => all,
        };
        match watch(context, &watched, self.chapter.is_some()) {
            Err(error) if error.is::<interrupt::Interrupted>() => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    }
}

fn watch(context: &Context, chapters: &[Chapter], check_now: bool) -> Result<()> {
    let (sender, receiver) = channel();
    let mut debouncer = new_debouncer(Duration::from_millis(300), sender)
        .context("can't watch files on this system")?;
    for chapter in chapters {
        // The folder: an editor may put a new file in the old one's place.
        let folder = chapter.dir.join("src");
        debouncer
            .watcher()
            .watch(&folder, RecursiveMode::NonRecursive)
            .with_context(|| format!("can't watch `{}`", folder.display()))?;
    }
    if check_now && let [chapter] = chapters {
        check(context, chapter, Scope::Chapter)?;
    }
    waiting();
    loop {
        interrupt::check()?;
        let events = match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(events) => {
                events.context("watching the files failed; start `cargo study watch` again")?
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let edited =
            |chapter: &&Chapter| events.iter().any(|event| is_exercise_of(&event.path, chapter));
        for chapter in chapters.iter().filter(edited) {
            println!();
            check(context, chapter, Scope::Chapter)?;
        }
        if chapters.iter().any(|chapter| edited(&chapter)) {
            waiting();
        }
    }
}

/// By name, not by whole path: a watcher may report a path with links resolved.
fn is_exercise_of(path: &Path, chapter: &Chapter) -> bool {
    path.ends_with(Path::new(&chapter.stem).join("src").join("exercise.rs"))
}

fn waiting() {
    println!("\nWaiting for you to save an exercise.rs … (Ctrl-C stops)");
}
