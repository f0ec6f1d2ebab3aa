//! Takes in a notebook that was run: checks it, cleans it, compares it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::draft;
use crate::html;
use crate::notebook::{Lines, Notebook, Output, text_of};
use crate::outputs::{self, SVG, TEXT, strip_colours};
use crate::page::{CodeCell, Page};

/// How a figure looks as text.
const FIGURE: &str = "Figure { svg:";

/// What the kernel calls the function that holds a cell's code.
const CELL_FRAME: &str = "run_user_code_";

/// How compiler progress that cargo writes to stderr begins.
const PROGRESS: [&str; 13] = [
    "Adding",
    "Blocking",
    "Building",
    "Checking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Locking",
    "Running",
    "Updating",
    "Waiting",
];

/// The notebook to commit: `draft` with the outputs of `executed`, cleaned of what differs from
/// machine to machine.
///
/// Fails, naming the cell, when a cell failed, when an output holds a path of this machine (`root`
/// or a user's folder) or can't be shown on a page, and when `executed` is not a run of `page`.
pub fn accept(page: &Page, draft: Notebook, executed: Notebook, root: &Path) -> Result<Notebook> {
    let code = page.code();
    if !outputs::same_code(&code, &executed) {
        bail!(
            "the notebook that was run is not that of `{}.md` any more; write and run it again",
            page.stem
        );
    }
    let run: Vec<Vec<Output>> = executed
        .code()
        .iter()
        .zip(&code)
        .enumerate()
        .map(|(index, ((_, outputs), cell))| {
            clean(outputs, index + 1, root).with_context(|| name(index, cell))
        })
        .collect::<Result<_>>()?;
    let mut cleaned = executed;
    let mut run = run.into_iter();
    for cell in &mut cleaned.cells {
        if let crate::notebook::Cell::Code { outputs, .. } = cell {
            *outputs = run.next().unwrap_or_default();
        }
    }
    Ok(draft::with_outputs(draft, page, &cleaned))
}

/// The check cells of a notebook that did not say `✓✓`, with what they said.
pub fn not_passed(executed: &Notebook) -> Vec<(String, String)> {
    let said = |outputs: &[Output]| outputs.iter().flat_map(texts).collect::<String>();
    executed
        .code()
        .into_iter()
        .filter(|(source, _)| is_check(source))
        .map(|(source, outputs)| (source.to_owned(), said(outputs)))
        .filter(|(_, said)| !said.trim_start().starts_with("✓✓"))
        .collect()
}

fn is_check(source: &str) -> bool {
    source.starts_with("check::")
}

fn name(index: usize, cell: &CodeCell) -> String {
    format!("cell {} (`{}`)", index + 1, html::extract(&cell.source))
}

fn clean(outputs: &[Output], count: usize, root: &Path) -> Result<Vec<Output>> {
    let mut cleaned: Vec<Output> = Vec::new();
    for output in outputs {
        match output {
            Output::Error { ename, evalue, .. } => {
                let report = strip_colours(&format!("{ename}: {evalue}"));
                bail!("failed: {}", report.lines().next().unwrap_or_default());
            }
            Output::Stream { name, text } => {
                let text =
                    if name == "stderr" { without_progress(&text.0) } else { text.0.clone() };
                // The kernel does not call it a failure when a cell's `?` ends it early, but its backtrace says so.
                if name == "stderr" && text.contains(CELL_FRAME) {
                    bail!("ended early: {}", text.lines().next().unwrap_or_default());
                }
                // Jupyter cuts a stream where it pleases.
                if let Some(Output::Stream { name: last, text: sofar }) = cleaned.last_mut()
                    && last == name
                {
                    sofar.0 += &text;
                } else if !text.is_empty() {
                    cleaned.push(Output::Stream { name: name.clone(), text: Lines(text) });
                }
            }
            Output::DisplayData { data, .. } => cleaned
                .push(Output::DisplayData { data: clean_data(data)?, metadata: BTreeMap::new() }),
            // The value of a cell that ends in a loop.
            Output::ExecuteResult { data, .. }
                if data.get(TEXT).and_then(text_of).as_deref().map(str::trim) == Some("()") => {}
            // What the kernel does when it could not ask the figure to draw itself.
            Output::ExecuteResult { data, .. }
                if data
                    .get(TEXT)
                    .and_then(text_of)
                    .is_some_and(|text| text.starts_with(FIGURE)) =>
            {
                bail!("a figure came out as text; run it again");
            }
            Output::ExecuteResult { data, .. } => cleaned.push(Output::ExecuteResult {
                data: clean_data(data)?,
                execution_count: u32::try_from(count).ok(),
                metadata: BTreeMap::new(),
            }),
        }
    }
    for text in cleaned.iter().flat_map(texts) {
        if let Some(line) = text.lines().find(|line| has_machine_path(line, root)) {
            bail!(
                "its output holds a path of this machine: `{}`; print something else",
                line.trim()
            );
        }
    }
    Ok(cleaned)
}

fn without_progress(text: &str) -> String {
    let is_progress = |line: &str| {
        let line = strip_colours(line);
        let word = line.split_whitespace().next().unwrap_or_default();
        word.is_empty() || PROGRESS.contains(&word)
    };
    if text.lines().all(is_progress) { String::new() } else { text.to_owned() }
}

fn clean_data(data: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>> {
    if !data.contains_key(SVG) && !data.contains_key(TEXT) {
        let kinds: Vec<&str> = data.keys().map(String::as_str).collect();
        bail!(
            "its output is {}, which a page can't show; return text or a figure",
            kinds.join(", ")
        );
    }
    let clean = |(kind, value): (&String, &Value)| {
        let text = text_of(value).with_context(|| format!("its {kind} output is no text"))?;
        Ok((kind.clone(), serde_json::to_value(Lines(text))?))
    };
    data.iter().map(clean).collect()
}

fn texts(output: &Output) -> Vec<String> {
    match output {
        Output::Stream { text, .. } => vec![text.0.clone()],
        Output::DisplayData { data, .. } | Output::ExecuteResult { data, .. } => {
            data.values().filter_map(text_of).collect()
        }
        Output::Error { evalue, .. } => vec![evalue.clone()],
    }
}

fn has_machine_path(line: &str, root: &Path) -> bool {
    let root = root.to_string_lossy();
    let users =
        ["/home/", "/root/", "/Users/", ":\\Users\\", ".cargo/registry", ".cargo\\registry"];
    (root.len() > 1 && line.contains(&*root)) || users.iter().any(|path| line.contains(path))
}

/// How the outputs of `got`, a cleaned run of `page`, differ from those of `expected`, the committed
/// notebook. Cells tagged `timing` may print what they like. With `solved`, `got` ran with each solution in place of its
/// stub, and checks may say so. One text for each cell that differs.
pub fn differences(
    page: &Page,
    expected: &Notebook,
    got: &Notebook,
    solved: bool,
) -> Result<Vec<String>> {
    let code = page.code();
    if !outputs::same_code(&code, expected) {
        bail!(
            "the committed notebook has other cells than `{}.md`; run `cargo study notebooks {0}`",
            page.stem
        );
    }
    let cells = code.iter().enumerate().zip(expected.code().into_iter().zip(got.code()));
    let mut differences = Vec::new();
    for ((index, cell), ((_, expected), (_, got))) in cells {
        let free = cell.is("timing") || (solved && is_check(&cell.source));
        if !free && expected != got {
            let shown = |outputs: &[Output]| outputs.iter().flat_map(texts).collect::<String>();
            let (expected, got) = first_difference(&shown(expected), &shown(got));
            let name = name(index, cell);
            differences.push(format!("{name}\n  expected: {expected}\n  got:      {got}"));
        }
    }
    Ok(differences)
}

/// The first lines in which two texts differ.
fn first_difference(expected: &str, got: &str) -> (String, String) {
    let count = expected.lines().count().max(got.lines().count());
    let line = |text: &str, index| match text.lines().nth(index) {
        Some(line) => line.to_owned(),
        None => "(nothing)".to_owned(),
    };
    let lines = (0..count).map(|index| (line(expected, index), line(got, index)));
    let same =
        || ("(the same text as another kind of output)".to_owned(), "(see there)".to_owned());
    lines.into_iter().find(|(expected, got)| expected != got).unwrap_or_else(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "```rust,cell\na\n```\n```rust,cell,timing\nb\n```\n";

    fn stream(name: &str, text: &str) -> Output {
        Output::Stream { name: name.into(), text: Lines(text.into()) }
    }

    /// The page, its draft, and the draft as if run with these outputs in cells `a` and `b`.
    fn run(a: Vec<Output>, b: Vec<Output>) -> Result<(Page, Notebook, Notebook)> {
        let page = Page::parse("00-a", PAGE, &[])?;
        let draft = draft::notebook(&page, &|_| false)?;
        let mut run = draft.clone();
        let mut all = [vec![], a, b].into_iter();
        for cell in &mut run.cells {
            if let crate::notebook::Cell::Code { outputs, .. } = cell {
                *outputs = all.next().unwrap_or_default();
            }
        }
        Ok((page, draft, run))
    }

    fn accepted(a: Vec<Output>, b: Vec<Output>) -> Result<Notebook> {
        let (page, draft, run) = run(a, b)?;
        accept(&page, draft, run, Path::new("/somewhere/course"))
    }

    #[test]
    fn streams_are_joined_and_progress_is_dropped() -> Result<()> {
        let notebook = accepted(
            vec![
                stream("stderr", "   Compiling course v0.1.0 (/home/x)\n    Finished dev\n"),
                stream("stdout", "1\n"),
                stream("stdout", "2\n"),
            ],
            vec![stream("stderr", "warning: x\n")],
        )?;
        assert_eq!(notebook.code()[1].1, [stream("stdout", "1\n2\n")]);
        assert_eq!(notebook.code()[2].1, [stream("stderr", "warning: x\n")]);
        Ok(())
    }

    #[test]
    fn a_failed_cell_and_a_machine_path_are_refused() {
        let fault =
            |output| format!("{:#}", accepted(vec![], vec![output]).expect_err("must fail"));
        let error =
            Output::Error { ename: "Error".into(), evalue: "no\nmore".into(), traceback: vec![] };
        assert_eq!(fault(error), "cell 3 (`b`): failed: Error: no");
        let early = "no rows\n   0: candle_core::error::Error::bt\n   1: run_user_code_7\n";
        assert_eq!(fault(stream("stderr", early)), "cell 3 (`b`): ended early: no rows");
        assert!(fault(stream("stdout", "x\nat /home/me/x.rs\n")).contains("`at /home/me/x.rs`"));
        assert!(fault(stream("stdout", "/somewhere/course/y")).contains("a path of this machine"));
        let figure = [(TEXT.to_owned(), Value::from("Figure { svg: \"<svg"))].into();
        let figure = Output::ExecuteResult {
            data: figure,
            execution_count: None,
            metadata: BTreeMap::new(),
        };
        assert!(fault(figure).contains("came out as text"));
        let html = [("text/html".to_owned(), Value::from("<b>"))].into();
        let html = Output::DisplayData { data: html, metadata: BTreeMap::new() };
        assert!(fault(html).contains("is text/html"));
    }

    #[test]
    fn only_timing_cells_may_differ() -> Result<()> {
        let old = accepted(vec![stream("stdout", "1\n2\n")], vec![stream("stdout", "5 ms")])?;
        let new = accepted(vec![stream("stdout", "1\n3\n")], vec![stream("stdout", "6 ms")])?;
        let page = Page::parse("00-a", PAGE, &[])?;
        assert!(differences(&page, &old, &old, false)?.is_empty());
        for solved in [false, true] {
            let found = differences(&page, &old, &new, solved)?;
            assert_eq!(found, ["cell 2 (`a`)\n  expected: 2\n  got:      3"]);
        }
        Ok(())
    }

    #[test]
    fn a_run_of_other_code_is_refused() -> Result<()> {
        let (_, _, run) = run(vec![], vec![])?;
        let page = Page::parse("00-a", "```rust,cell\nother\n```\n", &[])?;
        let draft = draft::notebook(&page, &|_| false)?;
        assert!(accept(&page, draft, run, Path::new("/x")).is_err());
        Ok(())
    }
}
