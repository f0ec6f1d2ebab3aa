//! The outputs of a notebook's cells on a page.

use crate::html;
use crate::notebook::{Notebook, Output, text_of};
use crate::page::CodeCell;

/// For each of `cells`, the outputs of the notebook's cell with the same source, in order.
/// `None` where the notebook has no such cell behind the one matched before.
pub(crate) fn matching<'a>(
    cells: &[CodeCell],
    notebook: &'a Notebook,
) -> Vec<Option<&'a [Output]>> {
    let code = notebook.code();
    let mut next = 0;
    cells
        .iter()
        .map(|cell| {
            let found = code[next..]
                .iter()
                .position(|(source, _)| *source == cell.source)?;
            next += found + 1;
            Some(code[next - 1].1)
        })
        .collect()
}

/// Whether the code cells of the notebook are exactly `cells`.
pub(crate) fn same_code(cells: &[CodeCell], notebook: &Notebook) -> bool {
    cells
        .iter()
        .map(|cell| cell.source.as_str())
        .eq(notebook.code().iter().map(|(code, _)| *code))
}

/// Outputs as HTML blocks, each on its own lines. What a cell wrote to stderr is left out.
pub(crate) fn show(outputs: &[Output]) -> String {
    let mut result = String::new();
    let mut printed = String::new();
    for output in outputs {
        match output {
            Output::Stream { name, text } if name == "stdout" => printed += &text.0,
            Output::Stream { .. } => {}
            Output::DisplayData { data, .. } | Output::ExecuteResult { data, .. } => {
                result += &pre("cell-output", &std::mem::take(&mut printed));
                let text = |kind: &str| data.get(kind).and_then(text_of);
                if let Some(svg) = text(SVG) {
                    result += &figure(&svg);
                } else if let Some(text) = text(TEXT) {
                    result += &pre("cell-output", &text);
                }
            }
            Output::Error { ename, evalue, .. } => {
                result += &pre("cell-output", &std::mem::take(&mut printed));
                result += &pre("cell-output error", &format!("{ename}: {evalue}"));
            }
        }
    }
    result + &pre("cell-output", &printed)
}

/// Media types that a page can show.
pub(crate) const SVG: &str = "image/svg+xml";
/// See [`SVG`].
pub(crate) const TEXT: &str = "text/plain";

fn pre(class: &str, text: &str) -> String {
    let text = strip_colours(text);
    let text = text.trim_end().trim_start_matches('\n');
    if text.is_empty() {
        return String::new();
    }
    let mut html = String::new();
    let mut after_blank = false;
    for (index, line) in text.lines().enumerate() {
        let blank = line.trim().is_empty();
        if index > 0 {
            // A blank line would end the HTML for Markdown.
            html.push_str(if after_blank || blank { "&#10;" } else { "\n" });
        }
        after_blank = blank;
        html.push_str(&html::escape(line));
    }
    format!("<pre class=\"{class}\">{html}</pre>\n\n")
}

/// An SVG inline on one line, without the prologue of an XML file.
fn figure(svg: &str) -> String {
    let svg = svg.find("<svg").map_or("", |start| &svg[start..]);
    let lines: Vec<&str> = svg
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    format!(
        "<figure class=\"cell-output\">{}</figure>\n\n",
        lines.join(" ")
    )
}

/// `text` without the terminal's colour codes.
pub(crate) fn strip_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.find(|c: char| c.is_ascii_alphabetic());
        result.push_str(code.map_or("", |at| &part[at + 1..]));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::{Cell, CellMetadata, Lines};

    fn stream(name: &str, text: &str) -> Output {
        Output::Stream {
            name: name.into(),
            text: Lines(text.into()),
        }
    }

    fn notebook(sources: &[&str]) -> Notebook {
        let cell = |source: &&str| Cell::Code {
            execution_count: None,
            id: String::new(),
            metadata: CellMetadata::default(),
            outputs: vec![stream("stdout", source)],
            source: Lines((*source).into()),
        };
        Notebook::new(sources.iter().map(cell).collect())
    }

    #[test]
    fn only_cells_with_the_same_source_match() {
        let cells = ["a", "new", "c", "b"].map(|source| CodeCell::new(source, &[]));
        let notebook = notebook(&["a", "b", "c"]);
        let found = matching(&cells, &notebook);
        assert_eq!(
            found.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, false, true, false]
        );
        assert!(!same_code(&cells, &notebook) && same_code(&cells[..1], &self::notebook(&["a"])));
    }

    #[test]
    fn text_is_escaped_and_has_no_blank_lines() {
        let html = show(&[
            stream("stdout", "\na < b\n\n\n"),
            stream("stderr", "Compiling x"),
            stream("stdout", "\u{1b}[31mred\u{1b}[0m\n"),
        ]);
        assert_eq!(
            html.trim(),
            "<pre class=\"cell-output\">a &lt; b&#10;&#10;&#10;red</pre>"
        );
        assert_eq!(show(&[stream("stdout", " \n")]), "");
    }

    #[test]
    fn a_figure_is_one_line_of_svg() {
        let svg = "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\">\n\n<rect/>\n</svg>\n";
        let data = [
            (SVG.to_owned(), svg.into()),
            (TEXT.to_owned(), "figure".into()),
        ]
        .into();
        let html = show(&[Output::DisplayData {
            data,
            metadata: Default::default(),
        }]);
        assert_eq!(
            html.trim(),
            "<figure class=\"cell-output\"><svg viewBox=\"0 0 1 1\"> <rect/> </svg></figure>"
        );
    }
}
