//! What only a printed page shows: where an answer stands, and the answers, at the end of the chapter.
//!
//! A browser unfolds nothing on paper, and right under its question an answer would be read with it. `paper.css`
//! prints what is of class `on-paper` and leaves out the folded answers.

use crate::html;

/// The answers of a page's questions, in the order of the questions.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<String>);

impl Answers {
    /// Keeps an answer, which is Markdown, for the end of the page; what stands above its question instead.
    pub(crate) fn keep(&mut self, answer: String) -> String {
        self.0.push(answer);
        note(&format!("Question {}. Its answer stands at the end of the chapter.", self.0.len()))
    }

    /// The end of the page; nothing where nothing was asked.
    pub(crate) fn section(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut text = String::from(
            "<div class=\"on-paper answers\">\n<p class=\"answers-title\">Answers</p>\n\n",
        );
        for (index, answer) in self.0.iter().enumerate() {
            text += &format!("**{}.** {}\n\n", index + 1, answer.trim());
        }
        text + "</div>\n"
    }
}

/// What stands under an exercise instead of its hints and its solution.
pub(crate) fn exercise(path: &str) -> String {
    note(&format!(
        "Hints and solution stand on the web page; in a terminal, <code>cargo study hint {path}</code> and \
         <code>cargo study solution {path}</code> print them.",
        path = html::escape(path)
    ))
}

fn note(html: &str) -> String {
    format!("<p class=\"on-paper\">{html}</p>\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_numbers_of_their_questions() {
        let mut answers = Answers::default();
        assert_eq!(answers.section(), "");
        assert!(answers.keep("(a). So.\n".to_owned()).contains("Question 1."));
        assert!(answers.keep("(b). Because.\n\nReally.".to_owned()).contains("Question 2."));
        let section = answers.section();
        assert!(
            section.contains("\n\n**1.** (a). So.\n\n**2.** (b). Because.\n\nReally.\n\n</div>"),
            "{section}"
        );
    }
}
