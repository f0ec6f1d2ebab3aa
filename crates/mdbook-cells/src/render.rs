//! The page that mdBook gets.

use anyhow::{Context, Result};

use crate::html::{self, Reader};
use crate::math;
use crate::notebook::{Notebook, Output};
use crate::outputs;
use crate::page::{Block, CodeCell, Page};
use crate::paper::Answers;

/// The page's Markdown for mdBook: formulas as MathML, and the outputs of `notebook` under the
/// cells that it was run with. A page whose cells differ from the notebook's says so on top.
pub(crate) fn page(page: &Page, notebook: Option<&Notebook>) -> Result<String> {
    write(page, notebook).with_context(|| format!("page `{}.md`", page.stem))
}

fn write(page: &Page, notebook: Option<&Notebook>) -> Result<String> {
    let code = page.code();
    let outputs = match notebook {
        Some(notebook) => outputs::matching(&code, notebook),
        None => vec![None; code.len()],
    };
    let mut text = String::new();
    if !code.is_empty() && !notebook.is_some_and(|notebook| outputs::same_code(&code, notebook)) {
        text += &stale(&page.stem, notebook.is_some());
    }
    // The prelude comes first and isn't shown.
    let mut outputs = outputs.into_iter().skip(usize::from(page.prelude.is_some()));
    let mut answers = Answers::default();
    for block in &page.blocks {
        text += &match block {
            Block::Prose(markdown) => math::render(markdown)?,
            Block::Quiz(quiz) => answers.keep(quiz.answer()?) + &quiz.render(Reader::Page)?,
            Block::Predict(predict) => {
                answers.keep(predict.answer()?) + &predict.render(Reader::Page)?
            }
            Block::Cell(code) => cell(code, outputs.next().flatten()),
            Block::Exercise(exercise) => {
                // What the stub and the check print is not shown.
                outputs.nth(1);
                exercise.on_page()?
            }
        };
        text += "\n\n";
    }
    Ok(text + &answers.section())
}

fn cell(cell: &CodeCell, outputs: Option<&[Output]>) -> String {
    let code = html::fence("rust", &cell.source);
    let shown = outputs.map(outputs::show).unwrap_or_default();
    if cell.is("hidden") {
        format!("{}\n{shown}", html::details("setup", "Set-up", &code))
    } else if cell.is("figure") {
        // The picture is what the cell is there for.
        format!("{shown}\n{}", html::details("drawing", "The code of this figure", &code))
    } else {
        format!("{code}\n{shown}")
    }
}

fn stale(stem: &str, was_run: bool) -> String {
    let what = if was_run {
        "The outputs on this page are older than its code."
    } else {
        "The code on this page has not been run yet."
    };
    format!("<div class=\"stale\">{what} Run <code>cargo study notebooks {stem}</code>.</div>\n\n")
}
