//! `predict` fences: what to guess before the next cell shows it.

use anyhow::{Result, bail};

use crate::html::{self, Reader};
use crate::math;

/// A question with choices, to answer before reading on, and what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Predict {
    question: String,
    /// What there is to choose from, each with its letter: `(a) Larger.`
    choices: Vec<String>,
    happened: String,
}

impl Predict {
    /// Reads the text of a `predict` fence: a question, choices that begin with `(a)`, `(b)` and so on, in a line or in
    /// a list, and below a line `---` the answer, which begins with the letter that is right.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let fault = |what: &str| {
            let first = text.trim().lines().next().unwrap_or_default();
            format!("the `predict` fence \"{first}\" {what}")
        };
        let Some((asked, happened)) = text.split_once("\n---\n") else {
            bail!(fault("has no answer: write it below a line `---`"));
        };
        let (question, choices) = choices(asked);
        if question.is_empty() {
            bail!(fault("has no question: write it above the choices"));
        }
        if choices.len() < 2 {
            bail!(fault(
                "has nothing to choose from: write choices that begin with `(a)` and `(b)`"
            ));
        }
        let happened = happened.trim().to_owned();
        if !choices.iter().any(|choice| happened.starts_with(&choice[..3])) {
            bail!(fault("has an answer that does not begin with one of its choices, as in `(b).`"));
        }
        Ok(Self { question, choices, happened })
    }

    /// A box on the page, a blockquote in the notebook.
    pub(crate) fn render(&self, reader: Reader) -> Result<String> {
        let list: String = self.choices.iter().map(|choice| format!("- {choice}\n")).collect();
        let asked = format!("{}\n\n{list}", self.question);
        let folded = |body: &str| html::details("happened", "What happened", body);
        Ok(match reader {
            Reader::Page => format!(
                "<div class=\"predict\">\n<p class=\"predict-title\">Predict first</p>\n\n{}\n{}\n</div>\n",
                math::render(&asked)?,
                folded(&math::render(&self.happened)?)
            ),
            Reader::Notebook => {
                html::quote(&format!("**Predict first.** {asked}\n{}", folded(&self.happened)))
            }
        })
    }

    /// Markdown for paper: what happened.
    pub(crate) fn answer(&self) -> Result<String> {
        math::render(&self.happened)
    }
}

/// What stands before the choices, and the choices, each from its letter on.
fn choices(asked: &str) -> (String, Vec<String>) {
    // In a list, an item's dash stands before the next letter.
    let piece = |text: &str| {
        let text = text.trim();
        text.strip_suffix("\n-").or(text.strip_suffix("\n*")).unwrap_or(text).trim().to_owned()
    };
    let starts: Vec<usize> = ('a'..='z')
        .scan(0, |from, letter| {
            let at = *from + asked.get(*from..)?.find(&format!("({letter}) "))?;
            *from = at + 3;
            Some(at)
        })
        .collect();
    let Some(&first) = starts.first() else { return (piece(asked), vec![]) };
    let ends = starts.iter().skip(1).copied().chain([asked.len()]);
    let choices = starts.iter().zip(ends).map(|(&start, end)| piece(&asked[start..end]));
    (piece(&asked[..first]), choices.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_or_a_quote() -> Result<()> {
        let predict =
            Predict::parse("Larger or smaller?\n\n(a) Larger. (b) Smaller.\n\n---\n(a).\n")?;
        let page = predict.render(Reader::Page)?;
        assert!(
            page.starts_with("<div class=\"predict\">")
                && page.contains("Larger or smaller?\n\n- (a) Larger.\n- (b) Smaller.\n")
                && page.contains("<summary>What happened"),
            "{page}"
        );
        let notebook = predict.render(Reader::Notebook)?;
        assert!(
            notebook.starts_with("> **Predict first.** Larger or smaller?\n>\n> - (a) Larger.\n"),
            "{notebook}"
        );
        assert!(notebook.lines().all(|line| line.starts_with('>')));
        let list = "Larger or smaller?\n\n- (a) Larger.\n- (b) Smaller.\n---\n(a).\n";
        assert_eq!(Predict::parse(list)?, predict);
        Ok(())
    }

    #[test]
    fn without_choices_or_answer_it_is_refused() {
        for (text, fault) in [
            ("Why?\n\n(a) So. (b) Because.\n", "\"Why?\" has no answer"),
            ("Why?\n\n---\nBecause.\n", "nothing to choose from"),
            ("Why?\n\n(a) So.\n\n---\n(a).\n", "nothing to choose from"),
            ("\n(a) So. (b) Because.\n---\n(a).\n", "no question"),
            ("Why?\n\n(a) So. (b) Because.\n---\n(c).\n", "one of its choices"),
            ("Why?\n\n(a) So. (b) Because.\n---\n", "one of its choices"),
        ] {
            let said = format!("{:#}", Predict::parse(text).expect_err(text));
            assert!(said.contains(fault), "{said}");
        }
    }
}
