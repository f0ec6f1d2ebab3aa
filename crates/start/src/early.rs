//! The pages' text, without what needs the course's own preprocessor.

use std::fs;
use std::path::Path;

use pulldown_cmark::{Options, Parser, html};
use web::{Asked, Found};

/// What stands around a page's text.
const FRAME: &str = include_str!("early.html");

/// The first page.
const FIRST: &str = "introduction";

/// A page, or a figure that a page shows, of the folder `book`.
pub fn find(book: &Path, asked: Asked) -> Found {
    match asked {
        [] => page(book, FIRST),
        [name] => match name.strip_suffix(".html") {
            Some("index") => page(book, FIRST),
            Some(stem) => page(book, stem),
            None => Found::Nothing,
        },
        [folder, name] if folder == "assets" => match fs::read(book.join("assets").join(name)) {
            Ok(content) => Found::Page(name.clone(), content),
            Err(_) => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

fn page(book: &Path, stem: &str) -> Found {
    let Ok(text) = fs::read_to_string(book.join(format!("{stem}.md"))) else {
        return Found::Nothing;
    };
    let contents = fs::read_to_string(book.join("SUMMARY.md")).unwrap_or_default();
    let text = with_pictures(book, &text);
    let page = FRAME
        .replace("{contents}", &rendered(&contents))
        .replace("{page}", &rendered(&early(&text)));
    Found::Page("page.html".to_owned(), page.into_bytes())
}

fn rendered(markdown: &str) -> String {
    let mut page = String::new();
    html::push_html(
        &mut page,
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_GFM),
    );
    // Links between pages are written as their sources are named.
    page.replace(".md\"", ".html\"").replace(".md#", ".html#")
}

/// The page with the pictures that it takes from files, which need nothing else.
fn with_pictures(book: &Path, text: &str) -> String {
    const BEFORE: &str = "{{#include assets/";
    let mut parts = text.split(BEFORE);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once("}}").unwrap_or((part, ""));
        all += &fs::read_to_string(book.join("assets").join(name)).unwrap_or_default();
        all += after;
    }
    all
}

/// A page's Markdown without what is still to come: quizzes, answers, set-up, included code, lists of exercises.
fn early(text: &str) -> String {
    let mut kept = String::new();
    let mut fence: Option<(&str, bool)> = None; // how it ends, and whether its lines are kept
    for line in text.lines() {
        let trimmed = line.trim_start();
        let ticks = &trimmed[..trimmed.len() - trimmed.trim_start_matches('`').len()];
        let shown = match fence {
            None if ticks.len() >= 3 => {
                let info = &trimmed[ticks.len()..];
                let shown = !(info.starts_with("quiz")
                    || info.contains("hidden")
                    || info.starts_with("predict"));
                fence = Some((ticks, shown));
                shown
            }
            None => true,
            Some((end, shown)) => {
                if trimmed.trim_end() == end {
                    fence = None;
                }
                shown
            }
        };
        if shown && !trimmed.starts_with("{{#") {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_to_come_is_left_out() {
        let text = "# One\n\n```rust,cell\nlet x = 1;\n```\n{{#exercise a::b}}\n```quiz\nWhy?\n```\n````predict\nThree?\n```\n---\n(a) Yes.\n````\nEnd.\n";
        assert_eq!(early(text), "# One\n\n```rust,cell\nlet x = 1;\n```\nEnd.\n");
    }

    #[test]
    fn pages_and_their_figures_are_found_and_linked() {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path();
        fs::create_dir(book.join("assets")).unwrap();
        fs::write(book.join("SUMMARY.md"), "- [Week 1](01-dot.md)").unwrap();
        fs::write(book.join("introduction.md"), "# Hello\n<figure>{{#include assets/a.svg}}</figure>\n\n| a |\n|---|\n| [1](01-dot.md#x) |")
            .unwrap();
        fs::write(book.join("assets/a.svg"), "<svg/>").unwrap();
        let found = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&part| part.to_owned()).collect();
            match find(book, &asked) {
                Found::Page(_, content) => String::from_utf8(content).unwrap(),
                _ => String::new(),
            }
        };
        let first = found(&[]);
        assert!(
            first.contains("<h1>Hello</h1>") && first.contains("<td><a href=\"01-dot.html#x\">"),
            "{first}"
        );
        assert!(first.contains("<a href=\"01-dot.html\">Week 1</a>"), "{first}");
        assert!(first.contains("<figure><svg/></figure>"), "{first}");
        assert_eq!(found(&["introduction.html"]), first);
        assert_eq!(found(&["assets", "a.svg"]), "<svg/>");
        assert_eq!(found(&["none.html"]) + &found(&["SUMMARY.md"]), "");
    }
}
