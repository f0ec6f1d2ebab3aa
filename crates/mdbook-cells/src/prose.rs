//! A page's Markdown as a notebook shows it.

use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, Event, HeadingLevel, LinkType, Parser, Tag};

use crate::html;

/// `markdown` for a notebook in `notebooks/`: links to pages that have a notebook lead to it, other
/// relative links lead into `book/`, and admonitions are quotes that begin with their kind.
pub(crate) fn for_notebook(markdown: &str, has_notebook: &dyn Fn(&str) -> bool) -> String {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (event, range) in Parser::new_ext(markdown, html::markdown_options()).into_offset_iter() {
        let text = &markdown[range.clone()];
        match event {
            Event::Start(
                Tag::Link {
                    link_type: LinkType::Inline,
                    dest_url,
                    ..
                }
                | Tag::Image {
                    link_type: LinkType::Inline,
                    dest_url,
                    ..
                },
            ) => {
                let behind = text.rfind("](").map_or(0, |at| at + 2);
                if let Some(to) = target(&dest_url, has_notebook)
                    && let Some(at) = text[behind..].find(&*dest_url)
                {
                    let start = range.start + behind + at;
                    edits.push((start..start + dest_url.len(), to));
                }
            }
            Event::Start(Tag::BlockQuote(Some(kind))) => {
                let (mark, title) = admonition(kind);
                // Marks are read in any case: `[!tip]`.
                if let Some(at) = text.to_ascii_uppercase().find(mark) {
                    let start = range.start + at;
                    edits.push((start..start + mark.len(), format!("**{title}.**")));
                }
            }
            _ => {}
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut result = markdown.to_owned();
    for (range, to) in edits.into_iter().rev() {
        result.replace_range(range, &to);
    }
    result
}

fn admonition(kind: BlockQuoteKind) -> (&'static str, &'static str) {
    match kind {
        BlockQuoteKind::Note => ("[!NOTE]", "Note"),
        BlockQuoteKind::Tip => ("[!TIP]", "Tip"),
        BlockQuoteKind::Important => ("[!IMPORTANT]", "Important"),
        BlockQuoteKind::Warning => ("[!WARNING]", "Warning"),
        BlockQuoteKind::Caution => ("[!CAUTION]", "Caution"),
    }
}

/// Where a link of a page leads from a notebook, if somewhere else.
fn target(link: &str, has_notebook: &dyn Fn(&str) -> bool) -> Option<String> {
    let elsewhere = ["#", "/", "../", "mailto:"]
        .iter()
        .any(|start| link.starts_with(start));
    if link.is_empty() || elsewhere || link.contains("://") {
        return None;
    }
    let (path, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
    let path = path.strip_prefix("./").unwrap_or(path);
    match path.strip_suffix(".md") {
        Some(stem) if has_notebook(stem) => Some(format!("{stem}.ipynb{fragment}")),
        _ => Some(format!("../book/{path}{fragment}")),
    }
}

/// `markdown` cut before each heading of level 1 and 2.
pub(crate) fn sections(markdown: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    let mut depth = 0;
    for (event, range) in Parser::new_ext(markdown, html::markdown_options()).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if let Tag::Heading {
                    level: HeadingLevel::H1 | HeadingLevel::H2,
                    ..
                } = tag
                    && depth == 0
                {
                    sections.push(&markdown[start..range.start]);
                    start = range.start;
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    sections.push(&markdown[start..]);
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_notebooks_and_into_the_book() {
        let has_notebook = |stem: &str| stem == "03-masking";
        let page = "[a](03-masking.md#x), [b](notes.md), ![c](assets/c.svg), [d](https://a.b/c.md), `[e](03-masking.md)`,\n\
                    [f](../chapters/x.rs) [![g](assets/g.svg)](./03-masking.md)\n";
        assert_eq!(
            for_notebook(page, &has_notebook),
            "[a](03-masking.ipynb#x), [b](../book/notes.md), ![c](../book/assets/c.svg), [d](https://a.b/c.md), `[e](03-masking.md)`,\n\
             [f](../chapters/x.rs) [![g](../book/assets/g.svg)](03-masking.ipynb)\n"
        );
    }

    #[test]
    fn admonitions_are_labelled_quotes() {
        assert_eq!(
            for_notebook("> [!TIP]\n> Look at $x$.\n", &|_| false),
            "> **Tip.**\n> Look at $x$.\n"
        );
    }

    #[test]
    fn sections_begin_at_headings() {
        let page = "intro\n# A\n\ntext\n\n### deep\n\n## B\n\n```\n## code\n```\n";
        assert_eq!(
            sections(page),
            [
                "intro\n",
                "# A\n\ntext\n\n### deep\n\n",
                "## B\n\n```\n## code\n```\n"
            ]
        );
    }
}
