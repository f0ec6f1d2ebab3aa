//! The anchor regions of a source file: `// ANCHOR: name` … `// ANCHOR_END: name`.

use std::ops::Range;

use anyhow::{Result, bail};

use crate::text;

/// One region of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    pub name: String,
    /// From the start of the `ANCHOR` line to the end of the `ANCHOR_END` line.
    pub outer: Range<usize>,
    /// What stands between the two lines.
    pub inner: Range<usize>,
}

/// A line that is an anchor comment.
pub(crate) enum Marker<'a> {
    Start(&'a str),
    End(&'a str),
}

/// The anchor that `line` is, if it is one.
pub(crate) fn marker(line: &str) -> Option<Marker<'_>> {
    let comment = line.trim().strip_prefix("//")?.trim_start();
    if let Some(name) = comment.strip_prefix("ANCHOR:") {
        Some(Marker::Start(name.trim()))
    } else {
        comment
            .strip_prefix("ANCHOR_END:")
            .map(|name| Marker::End(name.trim()))
    }
}

/// The regions of `source` in the order in which they begin; `file` is named in errors.
pub(crate) fn regions(source: &str, file: &str) -> Result<Vec<Region>> {
    let mut open: Vec<(&str, Range<usize>)> = Vec::new();
    let mut regions: Vec<Region> = Vec::new();
    for line in text::lines(source) {
        let at = || format!("{file}:{}", text::line_number(source, line.start));
        match marker(&source[line.clone()]) {
            Some(Marker::Start(name)) => {
                if open.iter().any(|(other, _)| *other == name)
                    || regions.iter().any(|region| region.name == name)
                {
                    bail!(
                        "{}: a second `// ANCHOR: {name}`; give each region its own name",
                        at()
                    );
                }
                open.push((name, line));
            }
            Some(Marker::End(name)) => {
                let Some(index) = open.iter().position(|(other, _)| *other == name) else {
                    bail!(
                        "{}: `// ANCHOR_END: {name}` without a start; write `// ANCHOR: {name}` above it",
                        at()
                    );
                };
                let (name, start) = open.remove(index);
                regions.push(Region {
                    name: name.to_owned(),
                    outer: start.start..line.end,
                    inner: start.end..line.start,
                });
            }
            None => {}
        }
    }
    if let Some((name, start)) = open.first() {
        bail!(
            "{file}:{}: `// ANCHOR: {name}` is never ended; write `// ANCHOR_END: {name}` below it",
            text::line_number(source, start.start)
        );
    }
    regions.sort_by_key(|region| region.outer.start);
    Ok(regions)
}

/// The text of the region called `name` for display: without anchor lines, dedented.
pub(crate) fn shown(source: &str, region: &Region) -> String {
    let inner = &source[region.inner.clone()];
    let kept: String = inner
        .split_inclusive('\n')
        .filter(|line| marker(line).is_none())
        .collect();
    text::dedent(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_may_nest() -> Result<()> {
        let source =
            "// ANCHOR: a\nx\n    // ANCHOR: b\n    y\n    // ANCHOR_END: b\n// ANCHOR_END: a\n";
        let found = regions(source, "f.rs")?;
        assert_eq!(
            found.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(shown(source, &found[0]), "x\n    y");
        assert_eq!(shown(source, &found[1]), "y");
        Ok(())
    }

    #[test]
    fn faults_name_the_line() {
        let message = |source| regions(source, "f.rs").expect_err("must fail").to_string();
        assert!(message("\n// ANCHOR: a\n").starts_with("f.rs:2: `// ANCHOR: a` is never ended"));
        assert!(message("// ANCHOR_END: a\n").starts_with("f.rs:1:"));
        assert!(message("// ANCHOR: a\n// ANCHOR_END: a\n// ANCHOR: a\n").starts_with("f.rs:3:"));
    }
}
