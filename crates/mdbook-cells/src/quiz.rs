//! `quiz` fences: a question, its answers, and why each is right or wrong.

use anyhow::{Result, bail};

use crate::html::{self, Reader};
use crate::inline::inline;
use crate::math;

/// A question with its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiz {
    question: String,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq)]
struct Answer {
    right: bool,
    text: String,
    why: String,
}

impl Quiz {
    /// Reads the text of a `quiz` fence.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut quiz = Self { question: String::new(), answers: Vec::new() };
        for line in text.lines() {
            if let Some((right, text)) = answer(line) {
                let text = text.trim().to_owned();
                quiz.answers.push(Answer { right, text, why: String::new() });
            } else if let Some(answer) = quiz.answers.last_mut() {
                let Some(line) = line.strip_prefix("  ").or(line.trim().is_empty().then_some(""))
                else {
                    bail!(
                        "{}: indent `{line}` by two spaces, to explain the answer above it",
                        quiz.name()
                    );
                };
                answer.why.push_str(line);
                answer.why.push('\n');
            } else {
                quiz.question.push_str(line);
                quiz.question.push('\n');
            }
        }
        quiz.complete()?;
        Ok(quiz)
    }

    fn name(&self) -> String {
        format!("quiz “{}”", html::extract(&self.question))
    }

    fn complete(&self) -> Result<()> {
        if self.question.trim().is_empty() {
            bail!("{}: write the question above the answers", self.name());
        }
        if self.answers.len() < 2 {
            bail!("{}: write at least two answers, as `- [ ] …` and `- [x] …`", self.name());
        }
        if !self.answers.iter().any(|answer| answer.right) {
            bail!("{}: mark the right answer with `- [x]`", self.name());
        }
        if let Some(answer) = self.answers.iter().find(|answer| answer.why.trim().is_empty()) {
            bail!(
                "{}: the answer “{}” has no explanation; write one below it, indented by two spaces",
                self.name(),
                answer.text
            );
        }
        Ok(())
    }

    /// Markdown with HTML around it: each answer folds its explanation.
    pub(crate) fn render(&self, reader: Reader) -> Result<String> {
        let text = |markdown: &str| match reader {
            Reader::Page => math::render(markdown),
            Reader::Notebook => Ok(markdown.to_owned()),
        };
        let mut result = format!("<div class=\"quiz\">\n\n{}\n\n", text(self.question.trim())?);
        for answer in &self.answers {
            let (class, verdict) = if answer.right {
                ("answer right", "Right.")
            } else {
                ("answer wrong", "Not quite.")
            };
            let body = format!("**{verdict}** {}", text(answer.why.trim())?);
            result += &html::details(class, &inline(&answer.text, reader)?, &body);
            result.push('\n');
        }
        Ok(result + "</div>\n")
    }

    /// Markdown for paper: what is right, and why.
    pub(crate) fn answer(&self) -> Result<String> {
        let right = self.answers.iter().filter(|answer| answer.right);
        let told: Result<Vec<String>> = right
            .map(|answer| {
                let text = inline(&answer.text, Reader::Page)?;
                Ok(format!("<em>{text}</em> {}", math::render(answer.why.trim())?))
            })
            .collect();
        Ok(told?.join("\n\n"))
    }
}

/// Whether `line` begins an answer: right or not, and its text.
fn answer(line: &str) -> Option<(bool, &str)> {
    let wrong = line.strip_prefix("- [ ] ").map(|text| (false, text));
    wrong.or_else(|| {
        let right = line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "));
        right.map(|text| (true, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "Why $\\sqrt{d_k}$?\n- [ ] To be *small*.\n  No.\n\n  Really.\n- [x] For $d_k$.\n  Yes.\n";

    #[test]
    fn every_answer_folds_its_explanation() -> Result<()> {
        let html = Quiz::parse(GOOD)?.render(Reader::Notebook)?;
        assert_eq!(
            html,
            "<div class=\"quiz\">\n\nWhy $\\sqrt{d_k}$?\n\n\
             <details class=\"answer wrong\"><summary>To be <em>small</em>.</summary>\n\n\
             **Not quite.** No.\n\nReally.\n\n</details>\n\n\
             <details class=\"answer right\"><summary>For $d_k$.</summary>\n\n\
             **Right.** Yes.\n\n</details>\n\n</div>\n"
        );
        assert!(!Quiz::parse(GOOD)?.render(Reader::Page)?.contains('$'));
        let answer = Quiz::parse(GOOD)?.answer()?;
        assert!(answer.starts_with("<em>For <math") && answer.ends_with("</em> Yes."), "{answer}");
        Ok(())
    }

    #[test]
    fn faults_say_what_is_missing() {
        let fault = |text| Quiz::parse(text).expect_err("must fail").to_string();
        assert!(
            fault("Q?\n- [ ] a\n- [x] b\n  why\n").contains("the answer “a” has no explanation")
        );
        assert!(fault("Q?\n- [ ] a\n  x\n- [ ] b\n  y\n").contains("mark the right answer"));
        assert!(fault("Q?\n- [x] a\n  x\n").contains("at least two answers"));
        assert!(fault("- [x] a\n  x\n- [ ] b\n  y\n").contains("write the question"));
        assert!(fault("Q?\n- [x] a\nx\n").contains("indent `x` by two spaces"));
    }
}
