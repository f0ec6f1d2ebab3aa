//! The notebook of a page, before it is run.

use anyhow::{Context, Result};

use crate::html::Reader;
use crate::notebook::{Cell, CellMetadata, Lines, Notebook};
use crate::outputs;
use crate::page::{self, Block, CodeCell, Page};
use crate::prose;

/// The notebook of `page` without outputs. `has_notebook` tells of which pages, by stem, there are
/// notebooks that a link may lead to.
pub fn notebook(page: &Page, has_notebook: &dyn Fn(&str) -> bool) -> Result<Notebook> {
    write(page, has_notebook).with_context(|| format!("page `{}.md`", page.stem))
}

fn write(page: &Page, has_notebook: &dyn Fn(&str) -> bool) -> Result<Notebook> {
    let mut draft = Draft::default();
    for block in &page.blocks {
        match block {
            Block::Prose(markdown) => {
                let markdown = prose::for_notebook(markdown, has_notebook);
                let mut sections = prose::sections(&markdown).into_iter();
                draft.say(sections.next().unwrap_or_default());
                for section in sections {
                    draft.end_text();
                    draft.say(section);
                }
            }
            Block::Quiz(quiz) => draft.say(&quiz.render(Reader::Notebook)?),
            Block::Predict(predict) => draft.say(&predict.render(Reader::Notebook)?),
            Block::Cell(cell) => draft.code(cell),
            Block::Exercise(exercise) => {
                draft.say(&exercise.before_cells());
                for cell in &page::exercise_cells(exercise) {
                    draft.code(cell);
                }
                draft.say(&exercise.after_cells()?);
            }
        }
    }
    draft.end_text();
    let mut cells = draft.cells;
    if let Some(prelude) = &page.prelude {
        // Below the title, above all other code.
        let place = usize::from(matches!(cells.first(), Some(Cell::Markdown { .. })));
        cells.insert(place, code_cell(prelude));
    }
    for (index, cell) in cells.iter_mut().enumerate() {
        if let Cell::Code { id, .. } | Cell::Markdown { id, .. } = cell {
            *id = cell_id(&page.stem, index);
        }
    }
    Ok(Notebook::new(cells))
}

/// The draft with the outputs of `run` in all cells whose source is still the same.
pub fn with_outputs(mut draft: Notebook, page: &Page, run: &Notebook) -> Notebook {
    let mut found = outputs::matching(&page.code(), run).into_iter();
    let mut count = 0;
    for cell in &mut draft.cells {
        if let Cell::Code { outputs, execution_count, .. } = cell {
            count += 1;
            if let Some(Some(kept)) = found.next() {
                *outputs = kept.to_vec();
                *execution_count = Some(count);
            }
        }
    }
    draft
}

/// Whether `run` holds exactly the cells of `page`.
pub fn is_fresh(page: &Page, run: &Notebook) -> bool {
    outputs::same_code(&page.code(), run)
}

/// Collects cells; text between two cells of code becomes one.
#[derive(Default)]
struct Draft {
    cells: Vec<Cell>,
    text: String,
}

impl Draft {
    fn say(&mut self, markdown: &str) {
        let markdown = markdown.trim();
        if !markdown.is_empty() {
            if !self.text.is_empty() {
                self.text += "\n\n";
            }
            self.text += markdown;
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.cells.push(Cell::Markdown {
                id: String::new(),
                metadata: CellMetadata::default(),
                source: Lines(std::mem::take(&mut self.text)),
            });
        }
    }

    fn code(&mut self, cell: &CodeCell) {
        self.end_text();
        self.cells.push(code_cell(cell));
    }
}

fn code_cell(cell: &CodeCell) -> Cell {
    let folded = cell.is_folded().then(|| serde_json::json!({"source_hidden": true}));
    Cell::Code {
        execution_count: None,
        id: String::new(),
        metadata: CellMetadata { jupyter: folded, tags: cell.tags.clone() },
        outputs: Vec::new(),
        source: Lines(cell.source.clone()),
    }
}

/// A cell's id: up to 64 letters, digits, `-` and `_`.
fn cell_id(stem: &str, index: usize) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let stem: String = stem.chars().filter(allowed).take(56).collect();
    format!("{stem}-{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_gathered_and_split_at_headings() -> Result<()> {
        let page = Page::parse(
            "00-a",
            "# Title\n\nIntro.\n\n## One\n\nText.\n\n```predict\nWhat?\n\n(a) 1. (b) 2.\n---\n(a).\n```\n\n```rust,cell,hidden\n1\n```\n\nEnd.\n",
            &[],
        )?;
        let notebook = notebook(&page, &|_| false)?;
        let sources: Vec<&str> = notebook
            .cells
            .iter()
            .map(|cell| match cell {
                Cell::Code { source, .. }
                | Cell::Markdown { source, .. }
                | Cell::Raw { source } => source.0.as_str(),
            })
            .collect();
        assert_eq!(sources[0], "# Title\n\nIntro.");
        assert!(sources[1].starts_with(":cache 4000\n:dep course"));
        assert!(
            sources[2].starts_with("## One\n\nText.\n\n> **Predict first.** What?\n>\n> - (a) 1.")
        );
        assert_eq!(sources[3..], ["1", "End."]);
        assert!(notebook.to_json()?.contains("\"id\": \"00-a-3\""));
        assert!(
            matches!(&notebook.cells[3], Cell::Code { metadata, .. } if metadata.jupyter.is_some())
        );
        Ok(())
    }
}
