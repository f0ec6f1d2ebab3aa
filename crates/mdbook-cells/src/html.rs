//! Small pieces of HTML and Markdown.

use pulldown_cmark::Options;

/// Whom a text is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The book: formulas become MathML.
    Page,
    /// Jupyter, which sets `$…$` itself.
    Notebook,
}

/// How mdBook reads Markdown, and formulas besides.
pub(crate) fn markdown_options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH
}

/// `text` as the content of an HTML element or of a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A fenced code block that no backticks in `code` can end.
pub(crate) fn fence(language: &str, code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(3.max(longest + 1));
    format!("{ticks}{language}\n{}\n{ticks}\n", code.trim_end_matches('\n'))
}

/// A folded block, made so that Markdown in `body` stays Markdown. `summary` is HTML.
pub(crate) fn details(class: &str, summary: &str, body: &str) -> String {
    format!(
        "<details class=\"{class}\"><summary>{summary}</summary>\n\n{}\n\n</details>\n",
        body.trim_matches('\n')
    )
}

/// `text` with every line quoted, as a Markdown blockquote.
pub(crate) fn quote(text: &str) -> String {
    let lines = text.trim_matches('\n').lines();
    lines.map(|line| format!("> {line}").trim_end().to_owned() + "\n").collect()
}

/// A one-line extract of a text, to name it in messages.
pub(crate) fn extract(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or("");
    let short: String = line.chars().take(60).collect();
    if short.len() < line.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("rust", "a\n"), "```rust\na\n```\n");
        assert_eq!(fence("", "````\nx\n````"), "`````\n````\nx\n````\n`````\n");
    }

    #[test]
    fn quotes_have_no_trailing_spaces() {
        assert_eq!(quote("a\n\nb\n"), "> a\n>\n> b\n");
    }
}
