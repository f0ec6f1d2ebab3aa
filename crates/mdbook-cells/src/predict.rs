//! `predict` fences: what to guess before the next cell shows it.

use anyhow::{Result, bail};

use crate::html::{self, Reader};
use crate::math;

/// A question to answer before reading on, and optionally what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Predict {
    question: String,
    happened: Option<String>,
}

impl Predict {
    /// Reads the text of a `predict` fence.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (question, happened) = match text.split_once("\n---\n") {
            Some((question, happened)) => (question, Some(happened.trim().to_owned())),
            None => (text, None),
        };
        if question.trim().is_empty() {
            bail!("an empty `predict` fence: write the question in it");
        }
        Ok(Self {
            question: question.trim().to_owned(),
            happened,
        })
    }

    /// An aside on the page, a blockquote in the notebook.
    pub(crate) fn render(&self, reader: Reader) -> Result<String> {
        let folded = |body: &str| html::details("happened", "What happened", body);
        Ok(match reader {
            Reader::Page => {
                let mut aside = format!(
                    "<aside class=\"predict\">\n<p class=\"predict-title\">Predict first</p>\n\n{}\n\n",
                    math::render(&self.question)?
                );
                if let Some(happened) = &self.happened {
                    aside += &folded(&math::render(happened)?);
                    aside.push('\n');
                }
                aside + "</aside>\n"
            }
            Reader::Notebook => {
                let mut text = format!("**Predict first.** {}\n", self.question);
                if let Some(happened) = &self.happened {
                    text.push('\n');
                    text += &folded(happened);
                }
                html::quote(&text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aside_or_a_quote() -> Result<()> {
        let predict = Predict::parse("Larger or smaller?\n\n---\nLarger.\n")?;
        let page = predict.render(Reader::Page)?;
        assert!(
            page.starts_with("<aside class=\"predict\">")
                && page.contains("<summary>What happened")
        );
        let notebook = predict.render(Reader::Notebook)?;
        assert!(
            notebook.starts_with("> **Predict first.** Larger or smaller?\n>\n> <details"),
            "{notebook}"
        );
        assert!(notebook.lines().all(|line| line.starts_with('>')));
        assert!(Predict::parse("\n---\nx").is_err());
        Ok(())
    }
}
