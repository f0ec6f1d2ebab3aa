//! Building the book with mdBook's library and the course's own preprocessor, in one process.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Takes the place of the preprocessor that `book.toml` names for those who have an mdbook: the same code, called.
struct Cells;

impl Preprocessor for Cells {
    fn name(&self) -> &str {
        "cells"
    }

    fn run(&self, context: &PreprocessorContext, book: Book) -> Result<Book> {
        mdbook_cells::preprocess::book(context, book)
    }

    fn supports_renderer(&self, renderer: &str) -> Result<bool> {
        Ok(renderer == "html")
    }
}

/// Builds the pages of the workspace at `root`; the folder that they are in.
pub fn build(root: &Path) -> Result<PathBuf> {
    let mut book = MDBook::load(root).context("can't load the book")?;
    book.with_preprocessor(Cells);
    book.build().context("can't build the book")?;
    Ok(book.build_dir_for("html"))
}
