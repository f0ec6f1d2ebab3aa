//! Makes `exercise.rs` from `solution.rs`, copying all that is not an exercise byte for byte.

use std::ops::Range;

use anyhow::{Result, bail};
use syn::spanned::Spanned;
use syn::{Block, ImplItem, Item, Visibility};

use crate::given::{self, Given};
use crate::regions::{self, Marker, Region};
use crate::text;

/// The stub of `source`, whose regions called `exercises` are the exercises. `file` is named in errors.
pub(crate) fn stub(
    source: &str,
    file: &str,
    week: u32,
    crate_name: &str,
    exercises: &[&str],
    given: &[Given],
) -> Result<String> {
    let ast = text::rust(source, file)?;
    let regions = regions::regions(source, file)?;
    let is_exercise = |name: &str| exercises.contains(&name);
    let mut edits = Edits {
        source,
        file,
        // A parsed file's spans count from behind a byte-order mark.
        shift: if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
        newline: if source.contains("\r\n") { "\r\n" } else { "\n" },
        regions: regions.iter().filter(|region| is_exercise(&region.name)).collect(),
        list: Vec::new(),
        stubbed: Vec::new(),
    };
    edits.items(&ast.items)?;
    for region in &edits.regions {
        if !edits.stubbed.contains(&region.outer.start) {
            bail!(
                "{file}:{}: the exercise `{}` has no `pub fn` to solve; make its function `pub`, \
                 or remove its heading from hints.md",
                text::line_number(source, region.outer.start),
                region.name
            );
        }
    }
    for line in text::lines(source) {
        if let Some(Marker::Start(name) | Marker::End(name)) =
            regions::marker(&source[line.clone()])
            && !is_exercise(name)
        {
            edits.list.push((line, String::new()));
        } else if source[line.clone()].trim().starts_with(given::MARK) {
            edits.list.push((line, String::new())); // the header has it
        }
    }
    let header = header(week, crate_name, given, edits.newline);
    let stub = edits.apply(header, leading_docs(source));
    if let Some(at) = stub.find("crate::solution") {
        let line = stub[text::line_start(&stub, at)..text::line_end(&stub, at)].trim();
        bail!("{file}: `{line}` would hand the solution to the stub; remove `crate::solution`");
    }
    Ok(stub)
}

/// Lines of a stub's documentation are not longer.
const WIDTH: usize = 80;

fn header(week: u32, crate_name: &str, given: &[Given], newline: &str) -> String {
    let given = match given {
        [] => String::new(),
        given => {
            let list = given::as_docs(given, WIDTH, newline);
            format!(
                "//!{newline}//! Helpers you may use, in scope or by the path shown:{newline}//!{newline}{list}"
            )
        }
    };
    format!(
        "//! Week {week}, your code: replace each `todo!()`, then run `cargo study check {crate_name}`.{newline}\
         {given}#![allow(unused)] // a stub uses nothing yet{newline}{newline}"
    )
}

/// The end of the `//!` docs that the file begins with, and of the blank lines behind them.
fn leading_docs(source: &str) -> usize {
    let is_head = |line: &str| {
        let line = line.trim_start_matches('\u{feff}').trim();
        line.is_empty() || line.starts_with("//!")
    };
    text::lines(source)
        .find(|line| !is_head(&source[line.clone()]))
        .map_or(source.len(), |line| line.start)
}

/// What is to be changed in a source file.
struct Edits<'a> {
    source: &'a str,
    file: &'a str,
    shift: usize,
    newline: &'a str,
    /// The regions of the exercises.
    regions: Vec<&'a Region>,
    list: Vec<(Range<usize>, String)>,
    /// The starts of the regions in which a body was replaced.
    stubbed: Vec<usize>,
}

impl Edits<'_> {
    fn items(&mut self, items: &[Item]) -> Result<()> {
        for item in items {
            match item {
                Item::Fn(function) => {
                    let public = matches!(function.vis, Visibility::Public(_));
                    self.function(item.span(), public, &function.block)?;
                }
                Item::Impl(block) => {
                    for item in &block.items {
                        if let ImplItem::Fn(method) = item {
                            let public = block.trait_.is_some()
                                || matches!(method.vis, Visibility::Public(_));
                            self.function(item.span(), public, &method.block)?;
                        }
                    }
                }
                Item::Mod(module) => {
                    if let Some((_, items)) = &module.content {
                        self.items(items)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes what becomes of one function: nothing outside an exercise, else a stub or its removal.
    fn function(&mut self, span: proc_macro2::Span, public: bool, body: &Block) -> Result<()> {
        let range = self.range(span);
        let overlapping: Vec<&Region> = self
            .regions
            .iter()
            .filter(|region| region.inner.start < range.end && range.start < region.inner.end)
            .copied()
            .collect();
        if overlapping.is_empty() {
            return Ok(());
        }
        for region in overlapping {
            if range.start < region.inner.start || region.inner.end < range.end {
                bail!(
                    "{}:{}: the exercise `{}` cuts a function in two; put its anchors around whole functions",
                    self.file,
                    text::line_number(self.source, region.outer.start),
                    region.name
                );
            }
            if public {
                self.stubbed.push(region.outer.start);
            }
        }
        if public {
            let body = self.range(body.span());
            let line = &self.source[text::line_start(self.source, range.start)..range.start];
            let newline = self.newline;
            let indent = &line[..line.len() - line.trim_start().len()];
            let todo = format!("{{{newline}{indent}    todo!(){newline}{indent}}}");
            self.list.push((body, todo));
        } else {
            let whole = self.with_surroundings(range);
            self.list.push((whole, String::new()));
        }
        Ok(())
    }

    fn range(&self, span: proc_macro2::Span) -> Range<usize> {
        let range = span.byte_range();
        range.start + self.shift..range.end + self.shift
    }

    /// The whole lines of an item, with the comments right above it and the blank lines that its
    /// removal would leave over.
    fn with_surroundings(&self, item: Range<usize>) -> Range<usize> {
        let source = self.source;
        let mut start = text::line_start(source, item.start);
        while start > 0 {
            let above = text::line_start(source, start - 1);
            let line = &source[above..start];
            if !line.trim_start().starts_with("//") || regions::marker(line).is_some() {
                break;
            }
            start = above;
        }
        let mut end = text::line_end(source, item.end);
        while end < source.len() && source[end..text::line_end(source, end)].trim().is_empty() {
            end = text::line_end(source, end);
        }
        let next = &source[end..text::line_end(source, end)];
        let closes = next.trim_start().starts_with('}')
            || matches!(regions::marker(next), Some(Marker::End(_)));
        while closes && start > 0 {
            let above = text::line_start(source, start - 1);
            if !source[above..start].trim().is_empty() {
                break;
            }
            start = above;
        }
        start..end
    }

    /// `result` and behind it the source from `done` on, with all edits made. An edit inside
    /// another one falls away with it.
    fn apply(mut self, mut result: String, mut done: usize) -> String {
        self.list.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        for (range, replacement) in &self.list {
            if range.start < done {
                continue;
            }
            result.push_str(&self.source[done..range.start]);
            result.push_str(replacement);
            done = range.end;
        }
        result.push_str(&self.source[done..]);
        result
    }
}
