//! Putting one exercise of the stub back into a learner's file.

use std::ops::Range;

use anyhow::{Context, Result, bail};

use crate::line_ends;

/// `mine` with the region of `exercise`, from its `// ANCHOR` line to its `// ANCHOR_END` line, taken from `stub`. Its lines
/// end as those of `mine` do.
///
/// Fails when a file does not have the region exactly once.
pub fn restored(mine: &str, stub: &str, exercise: &str) -> Result<String> {
    let from =
        region(stub, exercise).context("the generated stub is unusable; please report it")?;
    let to = region(mine, exercise)?;
    let mut again = line_ends::like(mine, &stub[from]);
    if !mine[to.clone()].ends_with('\n') {
        again.truncate(again.trim_end().len()); // the file's last line has no end
    }
    Ok([&mine[..to.start], &again, &mine[to.end..]].concat())
}

/// The bytes from the start of the `ANCHOR` line to the end of the `ANCHOR_END` line.
fn region(text: &str, name: &str) -> Result<Range<usize>> {
    let (mut start, mut end, mut at) = (None, None, 0);
    for line in text.split_inclusive('\n') {
        let comment = line.trim().strip_prefix("//").map(str::trim_start);
        let called = |mark| comment.and_then(|c| c.strip_prefix(mark)).map(str::trim) == Some(name);
        if called("ANCHOR:") && start.replace(at).is_some() {
            bail!("`// ANCHOR: {name}` appears twice in the file");
        }
        at += line.len();
        if called("ANCHOR_END:") && end.replace(at).is_some() {
            bail!("`// ANCHOR_END: {name}` appears twice in the file");
        }
    }
    match (start, end) {
        (Some(start), Some(end)) if start < end => Ok(start..end),
        _ => bail!(
            "the lines `// ANCHOR: {name}` and `// ANCHOR_END: {name}` no longer surround the exercise"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUB: &str = "//! docs\n// ANCHOR: a\nfn a() { todo!() }\n// ANCHOR_END: a\n\n// ANCHOR: ab\nfn ab() { todo!() }\n// ANCHOR_END: ab\n";

    #[test]
    fn only_the_one_exercise_is_written_again() {
        let mine =
            STUB.replace("todo!()", "1").replace("//! docs", "//! my notes") + "fn own() {}\n";
        let expected = mine.replace("fn a() { 1 }", "fn a() { todo!() }");
        assert_eq!(restored(&mine, STUB, "a").unwrap(), expected);
        let expected = mine.replace("fn ab() { 1 }", "fn ab() { todo!() }");
        assert_eq!(restored(&mine, STUB, "ab").unwrap(), expected);
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let windows = STUB.replace('\n', "\r\n");
        let mine = windows.replace("todo!()", "{\r\n    1\r\n}");
        let expected = mine.replacen("{\r\n    1\r\n}", "todo!()", 1);
        assert_eq!(restored(&mine, STUB, "a").unwrap(), expected);
        assert_eq!(restored(&windows, STUB, "a").unwrap(), windows);
        assert_eq!(restored(STUB, &windows, "ab").unwrap(), STUB);
        let unended = STUB.trim_end().replace("todo!()", "1");
        let expected = unended.replace("fn ab() { 1 }", "fn ab() { todo!() }");
        assert_eq!(restored(&unended, STUB, "ab").unwrap(), expected);
    }

    #[test]
    fn lost_or_doubled_marks_are_an_error() {
        let lost = STUB.replace("// ANCHOR_END: ab\n", "");
        assert!(
            restored(&lost, STUB, "ab").unwrap_err().to_string().contains("no longer surround")
        );
        let twice = [STUB, STUB].concat();
        assert!(restored(&twice, STUB, "a").unwrap_err().to_string().contains("twice"));
    }
}
