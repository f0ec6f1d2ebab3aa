//! Small helpers on source text. Offsets are bytes.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};

/// Reads a text file; an error names it.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("can't read `{}`", path.display()))
}

/// The syntax tree of `source`; an error names `file` and the line.
pub(crate) fn rust(source: &str, file: &str) -> Result<syn::File> {
    syn::parse_file(source).map_err(|error| {
        let line = error.span().start().line;
        anyhow::anyhow!("{file}:{line}: not valid Rust ({error}); fix it")
    })
}

/// The ranges of the lines of `text`, line ends included.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = end;
        end += line.len();
        start..end
    })
}

/// The number, from 1, of the line that `offset` is on.
pub(crate) fn line_number(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

/// Where the line that `offset` is on begins.
pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line that `offset` is on ends, behind its line end.
pub(crate) fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// `text` with the indentation that all its lines share taken off, and without blank lines around it.
pub(crate) fn dedent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dedent_keeps_relative_indentation() {
        assert_eq!(dedent("\n    a {\n\n        b\n    }\n"), "a {\n\n    b\n}");
    }

    #[test]
    fn line_numbers_start_at_one() {
        assert_eq!([0, 1, 2].map(|at| line_number("a\nb", at)), [1, 1, 2]);
        assert_eq!((line_start("a\nbc", 3), line_end("a\nbc", 0)), (2, 2));
    }
}
