//! The book's pages as they are written, with includes resolved by mdBook's own `links`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use mdbook_driver::MDBook;
use mdbook_driver::builtin_preprocessors::LinkPreprocessor;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use workbook::{Chapter, Workspace};

use crate::blocks::{self, Piece};
use crate::draft;
use crate::notebook::{self, Notebook};
use crate::page::Page;

/// The pages of the book and the chapters of the workspace.
pub struct Source {
    root: PathBuf,
    chapters: Vec<Chapter>,
    /// Stem and Markdown, in the book's order.
    pages: Vec<(String, String)>,
}

impl Source {
    /// Loads the book of the workspace that `start` lies in.
    pub fn load(start: &Path) -> Result<Self> {
        let workspace = Workspace::find(start)?;
        let loaded = MDBook::load(workspace.root()).context("can't load the book")?;
        let context =
            PreprocessorContext::new(loaded.root.clone(), loaded.config.clone(), "html".to_owned());
        let book = LinkPreprocessor::new().run(&context, loaded.book)?;
        let pages = book.chapters().filter_map(|page| Some((stem(page)?, page.content.clone())));
        Ok(Self {
            root: workspace.root().to_owned(),
            chapters: workspace.chapters()?,
            pages: pages.collect(),
        })
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The stems of the pages that have a notebook, in the book's order.
    pub fn stems(&self) -> Vec<&str> {
        let stems = self.pages.iter().map(|(stem, _)| stem.as_str());
        stems.filter(|stem| self.has_notebook(stem)).collect()
    }

    /// Takes the page apart; an unknown stem is an error that lists the known ones.
    pub fn page(&self, stem: &str) -> Result<Page> {
        let page = self.pages.iter().find(|(other, _)| other == stem);
        let (_, markdown) = page.ok_or_else(|| {
            anyhow!(
                "no page `{stem}` in the book; pages with a notebook: {}",
                self.stems().join(", ")
            )
        })?;
        Page::parse(stem, markdown, &self.chapters)
    }

    /// The notebook of a page, not yet run.
    pub fn draft(&self, page: &Page) -> Result<Notebook> {
        draft::notebook(page, &|stem| self.has_notebook(stem))
    }

    /// The committed notebook of a page.
    pub fn committed(&self, stem: &str) -> Result<Notebook> {
        Notebook::read(&notebook::path(&self.root, stem))
    }

    /// Whether the page has code to run.
    fn has_notebook(&self, stem: &str) -> bool {
        let runs = |piece: &Piece| match piece {
            Piece::Prose(_) | Piece::Given(_) => false,
            Piece::Fence(words, _) => words.iter().any(|word| word == "cell"),
            Piece::Exercise(_) => true,
        };
        let page = self.pages.iter().find(|(other, _)| other == stem);
        page.and_then(|(_, markdown)| blocks::pieces(markdown).ok())
            .is_some_and(|pieces| pieces.iter().any(runs))
    }
}

/// The name that a page shares with its notebook.
pub(crate) fn stem(page: &mdbook_preprocessor::book::Chapter) -> Option<String> {
    Some(page.source_path.as_ref()?.file_stem()?.to_string_lossy().into_owned())
}
