//! What a solved week ends with: what the learner can do now, and a picture that their own code computed.

use anyhow::Result;
use workbook::Chapter;

use crate::cargo::{cargo, compile};
use crate::context::Context;
use crate::interrupt::Interrupted;
use crate::process;
use crate::ui::{Progress, Stream, good};

/// Says it, and draws the picture when the week was `just_done`, or when it has not been drawn yet.
pub fn give(context: &Context, chapter: &Chapter, just_done: bool) -> Result<()> {
    println!("\n{} Week {} is done. {}", good("✓", Stream::Out), chapter.week, chapter.able);
    if !chapter.picture_path().is_file() {
        return Ok(());
    }
    let picture = context.root().join("target/figures").join(&chapter.stem).join("mine.svg");
    let again =
        format!("cargo run --package {} --example {}", chapter.package, chapter.picture_example());
    if !just_done && picture.is_file() {
        println!("  Your picture: {} (`{again}` draws it again)", context.shown(&picture));
        return Ok(());
    }
    match draw(context, chapter) {
        Ok(Some(said)) => println!("\n{}", said.trim_end()),
        Ok(None) => println!(
            "  `{again}` draws the week's picture with your code; it failed just now: type it to see why."
        ),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => println!("  The picture could not be drawn: {error:#}"),
    }
    Ok(())
}

/// What the drawing program says; nothing when it does not compile or fails.
fn draw(context: &Context, chapter: &Chapter) -> Result<Option<String>> {
    let name = chapter.picture_example();
    let example = ["--package", chapter.package.as_str(), "--example", name.as_str()];
    let build = cargo(context.root(), &[&["build"], &example[..]].concat());
    if !compile(build, "Compiling the week's picture")?.status.success() {
        return Ok(None);
    }
    let mut progress = Progress::start("Drawing with your code");
    let run = cargo(context.root(), &[&["run", "--quiet"], &example[..]].concat());
    let finished = process::run(run, |line| progress.detail(line))?;
    progress.clear();
    Ok(finished.status.success().then_some(finished.stdout))
}
