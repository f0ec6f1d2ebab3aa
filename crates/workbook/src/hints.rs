//! `hints.md`: the exercises of a chapter in order, three hints each.

use anyhow::{Result, bail};

use crate::text;

/// What `hints.md` says about one exercise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hints {
    pub exercise: String,
    /// The line of the heading, from 1.
    pub line: usize,
    /// Markdown, dedented.
    pub hints: Vec<String>,
}

/// Reads `hints.md`: level-2 headings, each followed by a list of exactly three numbered items.
/// `file` is named in errors.
pub(crate) fn parse(markdown: &str, file: &str) -> Result<Vec<Hints>> {
    let mut all: Vec<Hints> = Vec::new();
    let mut fence: Option<char> = None;
    for (index, line) in markdown.lines().enumerate() {
        let number = index + 1;
        if fence.is_none()
            && let Some(name) = line.strip_prefix("## ")
        {
            let exercise = name.trim().to_owned();
            if all.iter().any(|other| other.exercise == exercise) {
                bail!("{file}:{number}: a second heading `## {exercise}`; keep one");
            }
            all.push(Hints {
                exercise,
                line: number,
                hints: Vec::new(),
            });
            continue;
        }
        let Some(current) = all.last_mut() else {
            continue;
        };
        if fence.is_none()
            && let Some(rest) = item(line)
        {
            current.hints.push(format!("   {rest}\n"));
        } else if let Some(hint) = current.hints.last_mut() {
            hint.push_str(line);
            hint.push('\n');
        } else if !line.trim().is_empty() {
            bail!(
                "{file}:{number}: text under `## {}` before its first hint; begin with `1. …`",
                current.exercise
            );
        }
        fence = after(fence, line);
    }
    for hints in &mut all {
        if hints.hints.len() != 3 {
            bail!(
                "{file}:{}: `## {}` has {} hints; write exactly three, as `1. …`, `2. …`, `3. …`",
                hints.line,
                hints.exercise,
                hints.hints.len()
            );
        }
        for hint in &mut hints.hints {
            *hint = text::dedent(hint);
        }
    }
    Ok(all)
}

/// The text of a line that begins a numbered item at the margin.
fn item(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == line.len() {
        None
    } else {
        rest.strip_prefix(". ").map(str::trim_start)
    }
}

/// The code fence that is open after `line`, where `fence` was open before it.
fn after(fence: Option<char>, line: &str) -> Option<char> {
    let line = item(line).unwrap_or(line).trim_start();
    let mark = ['`', '~']
        .into_iter()
        .find(|c| line.starts_with(&c.to_string().repeat(3)));
    match (fence, mark) {
        (None, mark) => mark,
        (Some(open), Some(mark)) if open == mark => None,
        (open, _) => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Hints\n\nIntro.\n\n## softmax\n\n1. Look at\n   the rows.\n2. Two.\n\n   ```rust\n   \
                        ## not a heading\n   1. not an item\n   ```\n\n   More.\n3. Three.\n\n## other\n1. a\n2. b\n3. c\n";

    #[test]
    fn reads_three_hints_an_exercise() -> Result<()> {
        let hints = parse(GOOD, "hints.md")?;
        assert_eq!(hints.len(), 2);
        assert_eq!(hints[0].exercise, "softmax");
        assert_eq!(hints[0].hints[0], "Look at\nthe rows.");
        assert_eq!(
            hints[0].hints[1],
            "Two.\n\n```rust\n## not a heading\n1. not an item\n```\n\nMore."
        );
        assert_eq!(hints[1].hints, ["a", "b", "c"]);
        Ok(())
    }

    #[test]
    fn faults_name_the_line() {
        let message = |text| parse(text, "hints.md").expect_err("must fail").to_string();
        assert!(message("\n## a\n1. x\n2. y\n").starts_with("hints.md:2: `## a` has 2 hints"));
        assert!(message("## a\nwhy\n1. x\n").starts_with("hints.md:2: text under"));
        assert!(message("## a\n1. x\n2. y\n3. z\n## a\n").starts_with("hints.md:5: a second"));
    }
}
