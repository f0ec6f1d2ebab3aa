//! The mdBook preprocessor.

use anyhow::Result;
use mdbook_preprocessor::PreprocessorContext;
use mdbook_preprocessor::book::{Book, Chapter};
use workbook::Workspace;

use crate::notebook::{self, Notebook};
use crate::page::Page;
use crate::{render, source};

/// Rewrites every page of `book`; `links` must have run before.
pub fn book(context: &PreprocessorContext, mut book: Book) -> Result<Book> {
    let workspace = Workspace::find(&context.root)?;
    let chapters = workspace.chapters()?;
    let mut result = Ok(());
    book.for_each_chapter_mut(|page| {
        if result.is_ok() {
            result = rewrite(page, &workspace, &chapters);
        }
    });
    result.map(|()| book)
}

fn rewrite(
    page: &mut Chapter,
    workspace: &Workspace,
    chapters: &[workbook::Chapter],
) -> Result<()> {
    let Some(stem) = source::stem(page) else {
        return Ok(());
    };
    let parsed = Page::parse(&stem, &page.content, chapters)?;
    let path = notebook::path(workspace.root(), &stem);
    let notebook = match parsed.prelude {
        Some(_) if path.is_file() => Some(Notebook::read(&path)?),
        _ => None,
    };
    page.content = render::page(&parsed, notebook.as_ref())?;
    Ok(())
}
