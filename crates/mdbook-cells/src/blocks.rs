//! Cuts a page's Markdown into prose, fences that mean something to the course, and directives.

use std::ops::Range;

use anyhow::{Result, bail};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::html;

/// A piece of a page, as it was written.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Prose(String),
    /// The info string's words and the text of a `rust,cell`, `quiz` or `predict` fence.
    Fence(Vec<String>, String),
    /// What stands between `{{#exercise` and `}}`.
    Exercise(String),
    /// What stands between `{{#given` and `}}`.
    Given(String),
}

/// The pieces of `markdown` in order.
pub(crate) fn pieces(markdown: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut depth = 0;
    let mut fence: Option<(Vec<String>, String)> = None;
    let mut add = |range: Range<usize>, piece: Piece| {
        let prose = &markdown[done..range.start];
        if !prose.trim().is_empty() {
            pieces.push(Piece::Prose(prose.to_owned()));
        }
        done = range.end;
        if piece != Piece::Prose(String::new()) {
            pieces.push(piece);
        }
    };
    for (event, range) in Parser::new_ext(markdown, html::markdown_options()).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                match tag {
                    Tag::CodeBlock(CodeBlockKind::Fenced(info)) if is_ours(&info) => {
                        if depth > 0 {
                            bail!("a `{info}` fence inside a list or quote; move it to the margin");
                        }
                        fence = Some((words(&info), String::new()));
                    }
                    Tag::Paragraph if depth == 0 => {
                        if let Some(piece) = directive(&markdown[range.clone()]) {
                            add(range, piece);
                        }
                    }
                    _ => {}
                }
                depth += 1;
            }
            Event::End(tag) => {
                depth -= 1;
                if tag == TagEnd::CodeBlock
                    && let Some((info, text)) = fence.take()
                {
                    add(range, Piece::Fence(info, text));
                }
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut fence {
                    code.push_str(&text);
                }
            }
            _ => {}
        }
    }
    add(markdown.len()..markdown.len(), Piece::Prose(String::new()));
    Ok(pieces)
}

fn words(info: &str) -> Vec<String> {
    info.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_ours(info: &str) -> bool {
    let words = words(info);
    match words.first().map(String::as_str) {
        Some("quiz" | "predict") => true,
        Some("rust") => words.iter().any(|word| word == "cell"),
        _ => false,
    }
}

fn directive(paragraph: &str) -> Option<Piece> {
    let (name, inside) =
        paragraph.trim().strip_prefix("{{#")?.strip_suffix("}}")?.split_once(' ')?;
    let inside = inside.trim().to_owned();
    match name {
        "exercise" => Some(Piece::Exercise(inside)),
        "given" => Some(Piece::Given(inside)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_at_the_margin() -> Result<()> {
        let page = "# T\n\nText.\n\n```rust\nlet a = 1;\n```\n\n```rust,cell,timing\nlet x = 1;\n\nx\n```\n\
                    {{#exercise a::b | check::b(b)}}\n\n{{#given a}}\n\n~~~quiz\nQ\n~~~\n\nEnd `{{#exercise x}}`.\n";
        let pieces = pieces(page)?;
        let words = |all: &[&str]| all.iter().map(|word| word.to_string()).collect();
        assert_eq!(pieces[0], Piece::Prose("# T\n\nText.\n\n```rust\nlet a = 1;\n```\n\n".into()));
        assert_eq!(
            pieces[1],
            Piece::Fence(words(&["rust", "cell", "timing"]), "let x = 1;\n\nx\n".into())
        );
        assert_eq!(pieces[2], Piece::Exercise("a::b | check::b(b)".into()));
        assert_eq!(pieces[3], Piece::Given("a".into()));
        assert_eq!(pieces[4], Piece::Fence(words(&["quiz"]), "Q\n".into()));
        assert!(matches!(&pieces[5], Piece::Prose(text) if text.contains("End")));
        assert_eq!(pieces.len(), 6);
        Ok(())
    }

    #[test]
    fn a_cell_in_a_list_is_refused() {
        let error = pieces("- a\n\n  ```rust,cell\n  x\n  ```\n").expect_err("must fail");
        assert!(error.to_string().contains("move it to the margin"));
    }
}
