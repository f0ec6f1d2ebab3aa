//! The files that pages include: tables in Markdown, and figures.

use crate::card::page as on_card;
use crate::report::Run;
use crate::tables::{figure, footer, memory, ragged, rungs, speed};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where pages include it from, week 7's, 8's and 9's.
pub fn folders(root: &Path) -> [PathBuf; 3] {
    ["07-flash", "08-varlen", "09-gpu"]
        .map(|chapter| root.join("chapters").join(chapter).join("bench"))
}

/// Writes all that the run has cells for into these folders, week 7's, 8's and 9's, and names the files.
pub fn write(run: &Run, [flash, varlen, gpu]: &[PathBuf; 3]) -> Result<Vec<PathBuf>> {
    let mut files = vec![];
    if let Some(card) = &run.card {
        files.push(save(gpu, "speed.md", on_card::speed(run, card))?);
        files.push(save(gpu, "ragged.md", on_card::ragged(run, card))?);
        if let Some(figure) = on_card::figure(run)? {
            files.push(save(gpu, "speed.svg", format!("{}\n", figure.svg()))?);
        }
        return Ok(files);
    }
    for (folder, name, table) in [
        (flash, "speed.md", speed(run)),
        (flash, "rungs.md", rungs(run)),
        (flash, "memory.md", memory(run)),
        (varlen, "ragged.md", ragged(run)),
    ] {
        if !table.is_empty() {
            let text = format!("{}\n{}\n", table.markdown(), footer(run));
            files.push(save(folder, name, text)?);
        }
    }
    if let Some(figure) = figure(run)? {
        files.push(save(flash, "rungs.svg", format!("{}\n", figure.svg()))?);
    }
    Ok(files)
}

/// What the terminal shows at the end of a run: nothing when nothing was measured.
pub fn summary(run: &Run) -> String {
    if run.cells.is_empty() {
        return String::new();
    }
    if let Some(card) = &run.card {
        let parts = [on_card::speeds(run, card), on_card::batches(run, card)];
        return parts.into_iter().flatten().collect::<Vec<_>>().join("\n");
    }
    let table = speed(run);
    let table = if table.is_empty() { String::new() } else { table.markdown() };
    format!("{table}\n{}\n", footer(run))
}

fn save(folder: &Path, name: &str, text: String) -> Result<PathBuf> {
    let file = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, text))
        .with_context(|| format!("can't write `{}`", file.display()))?;
    Ok(file)
}
