//! A page of the book, taken apart.

use anyhow::{Context, Result, bail};
use workbook::Chapter;

use crate::blocks::{self, Piece};
use crate::directive::{self, ExerciseBlock};
use crate::html;
use crate::predict::Predict;
use crate::quiz::Quiz;

/// A page: what it is made of, in order.
#[derive(Debug, Clone)]
pub struct Page {
    /// The name that page, notebook and chapter share: `02-scaling`.
    pub stem: String,
    /// What the page consists of.
    pub blocks: Vec<Block>,
    /// The cell that loads the course, where the page has code to run. Only the notebook shows it.
    pub prelude: Option<CodeCell>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub enum Block {
    /// Markdown.
    Prose(String),
    /// A cell to run.
    Cell(CodeCell),
    /// A question.
    Quiz(Quiz),
    /// Something to guess.
    Predict(Predict),
    /// An exercise: in a notebook, a stub cell and a check cell.
    Exercise(Box<ExerciseBlock>),
}

/// A cell of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeCell {
    /// The code, without a final line end.
    pub source: String,
    /// `timing`, `hidden`, `figure`, `exercise`.
    pub tags: Vec<String>,
}

impl CodeCell {
    /// A cell with these tags.
    pub(crate) fn new(source: &str, tags: &[&str]) -> Self {
        Self {
            source: source.trim_end().to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        }
    }

    /// Whether its code is folded away until it is asked for.
    pub(crate) fn is_folded(&self) -> bool {
        self.is("hidden") || self.is("figure")
    }

    /// Whether the cell has the tag.
    pub fn is(&self, tag: &str) -> bool {
        self.tags.iter().any(|other| other == tag)
    }
}

impl Page {
    /// Takes a page apart. Includes must have been resolved before; exercises are read from `chapters`.
    ///
    /// An error names the page and the block.
    pub fn parse(stem: &str, markdown: &str, chapters: &[Chapter]) -> Result<Self> {
        Self::read(stem, markdown, chapters).with_context(|| format!("page `{stem}.md`"))
    }

    fn read(stem: &str, markdown: &str, chapters: &[Chapter]) -> Result<Self> {
        let mut blocks = Vec::new();
        for piece in blocks::pieces(markdown)? {
            blocks.push(match piece {
                Piece::Prose(text) => Block::Prose(text),
                Piece::Exercise(directive) => {
                    Block::Exercise(Box::new(ExerciseBlock::parse(&directive, chapters)?))
                }
                Piece::Given(name) => Block::Prose(directive::given(&name, chapters)?),
                Piece::Fence(words, text) => match words.first().map(String::as_str) {
                    Some("quiz") => Block::Quiz(Quiz::parse(&text)?),
                    Some("predict") => Block::Predict(Predict::parse(&text)?),
                    _ => Block::Cell(cell(&words, &text)?),
                },
            });
        }
        let runs = |block: &Block| matches!(block, Block::Cell(_) | Block::Exercise(_));
        let prelude = blocks.iter().any(runs).then(|| prelude(stem, chapters));
        Ok(Self { stem: stem.to_owned(), blocks, prelude })
    }

    /// The page with each solution in place of its stub, to test that the notebook's checks then pass.
    pub fn solved(mut self) -> Self {
        for block in &mut self.blocks {
            if let Block::Exercise(block) = block {
                block.exercise.stub.clone_from(&block.exercise.solution);
            }
        }
        self
    }

    /// All cells of the page's notebook in order: the prelude first, two for each exercise.
    pub fn code(&self) -> Vec<CodeCell> {
        let mut cells: Vec<CodeCell> = self.prelude.iter().cloned().collect();
        for block in &self.blocks {
            match block {
                Block::Cell(cell) => cells.push(cell.clone()),
                Block::Exercise(exercise) => cells.extend(exercise_cells(exercise)),
                Block::Prose(_) | Block::Quiz(_) | Block::Predict(_) => {}
            }
        }
        cells
    }
}

/// The stub cell and the check cell of an exercise.
pub(crate) fn exercise_cells(exercise: &ExerciseBlock) -> [CodeCell; 2] {
    [&exercise.exercise.stub, &exercise.check].map(|source| CodeCell::new(source, &["exercise"]))
}

fn cell(words: &[String], text: &str) -> Result<CodeCell> {
    let mut cell = CodeCell::new(text, &[]);
    let name = html::extract(text);
    if cell.source.trim().is_empty() {
        bail!("an empty cell; write its code, or fix the anchor that it includes");
    }
    if cell.source.contains("{{#") {
        bail!("the cell `{name}` holds an include that was not found; fix its path or anchor");
    }
    for word in words.iter().filter(|word| !matches!(word.as_str(), "rust" | "cell")) {
        if !matches!(word.as_str(), "timing" | "hidden" | "figure") {
            bail!(
                "the cell `{name}` is tagged `{word}`; a cell may be tagged `timing`, `hidden` or `figure`"
            );
        }
        cell.tags.push(word.clone());
    }
    Ok(cell)
}

fn prelude(stem: &str, chapters: &[Chapter]) -> CodeCell {
    let mut source = String::from(
        ":cache 4000\n:dep course = { path = \"../crates/course\" }\nuse course::prelude::*;",
    );
    if let Some(chapter) = chapters.iter().find(|chapter| chapter.stem == stem) {
        source += &format!("\nuse course::{}::solution;", chapter.crate_name);
    }
    // The kernel learns of `?` when a first one does not compile. In a cell that ends in a figure it would show the
    // figure as text instead, so the first one stands here.
    source += "\nTensor::zeros(1, DType::F32, &Device::Cpu)?; // the kernel's first `?`";
    CodeCell::new(&source, &["hidden"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_tags() -> Result<()> {
        let page = Page::parse("00-a", "```rust,cell,timing\n1\n```\n```rust,cell\n2\n```\n", &[])?;
        let code = page.code();
        assert_eq!(code.len(), 3);
        assert!(code[0].source.starts_with(":cache") && !code[0].source.contains("solution"));
        assert!(code[1].is("timing") && code[2].tags.is_empty());
        assert!(Page::parse("00-a", "Prose.", &[])?.code().is_empty());
        Ok(())
    }

    #[test]
    fn faults_name_page_and_cell() {
        let fault = |text| format!("{:#}", Page::parse("00-a", text, &[]).expect_err("must fail"));
        assert!(
            fault("```rust,cell,slow\n1 + 1\n```")
                .contains("page `00-a.md`: the cell `1 + 1` is tagged `slow`")
        );
        assert!(fault("```rust,cell\n```").contains("an empty cell"));
        assert!(fault("```rust,cell\n{{#include x.rs:y}}\n```").contains("was not found"));
        assert!(fault("{{#exercise scaling::softmax}}").contains("no chapter `scaling`"));
        assert!(fault("{{#exercise softmax}}").contains("chapter::exercise"));
    }
}
