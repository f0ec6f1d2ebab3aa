//! `{{#exercise crate::name | call}}`: an exercise read from its chapter; `{{#given crate}}`: what its exercises are given.

use anyhow::{Context, Result, bail};
use workbook::{Chapter, Exercise};

use crate::html::{self, Reader};
use crate::math;
use crate::paper;

/// The chapter that code calls `crate_name`.
fn chapter<'a>(crate_name: &str, chapters: &'a [Chapter]) -> Result<&'a Chapter> {
    chapters.iter().find(|chapter| chapter.crate_name == crate_name).with_context(|| {
        let names: Vec<&str> = chapters.iter().map(|c| c.crate_name.as_str()).collect();
        format!("no chapter `{crate_name}`; there are: {}", names.join(", "))
    })
}

/// The helpers that the exercises of the chapter `crate_name` are given, a Markdown list.
pub(crate) fn given(crate_name: &str, chapters: &[Chapter]) -> Result<String> {
    let items = chapter(crate_name, chapters)
        .and_then(Chapter::given)
        .with_context(|| format!("`{{{{#given {crate_name}}}}}`"))?;
    if items.is_empty() {
        bail!("`{{{{#given {crate_name}}}}}`: that chapter gives nothing; take the line out");
    }
    let items: Vec<String> = items.iter().map(workbook::Given::markdown).collect();
    Ok(items.join("\n") + "\n")
}

/// An exercise as a page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExerciseBlock {
    /// What a learner types: `scaling::softmax`.
    pub(crate) path: String,
    crate_name: String,
    /// The stub file, from the workspace's root.
    file: String,
    /// The code of the notebook's check cell.
    pub(crate) check: String,
    pub(crate) exercise: Exercise,
}

impl ExerciseBlock {
    /// Reads a directive's inside; the exercise comes from one of `chapters`.
    pub(crate) fn parse(directive: &str, chapters: &[Chapter]) -> Result<Self> {
        let (path, check) = match directive.split_once('|') {
            Some((path, check)) => (path.trim(), Some(check.trim().to_owned())),
            None => (directive.trim(), None),
        };
        let Some((crate_name, name)) = path.split_once("::") else {
            bail!(
                "`{{{{#exercise {directive}}}}}`: write it as `chapter::exercise`, for example `scaling::softmax`"
            );
        };
        let chapter =
            chapter(crate_name, chapters).with_context(|| format!("`{{{{#exercise {path}}}}}`"))?;
        Ok(Self {
            path: path.to_owned(),
            crate_name: crate_name.to_owned(),
            file: format!("chapters/{}/src/exercise.rs", chapter.stem),
            check: check.unwrap_or_else(|| format!("check::{name}({name})")),
            exercise: chapter.exercise(name)?,
        })
    }

    /// The exercise on the page: stub, what to type, hints and the solution folded away.
    pub(crate) fn on_page(&self) -> Result<String> {
        let mut text = format!(
            "<div class=\"exercise\">\n<p class=\"exercise-title\">Exercise <code>{}</code></p>\n\n\
             In `{}`:\n\n{}\nThen run:\n\n```sh\ncargo study check {}\n```\n\n",
            html::escape(&self.path),
            self.file,
            html::fence("rust", &self.exercise.stub),
            self.crate_name,
        );
        text += &self.hints(Reader::Page)?;
        let solution = html::fence("rust", &self.exercise.solution);
        text += &html::details("solution", "Solution", &solution);
        text.push('\n');
        text += &paper::exercise(&self.path);
        Ok(text + "\n</div>\n")
    }

    /// The Markdown before the two cells of the exercise in a notebook.
    pub(crate) fn before_cells(&self) -> String {
        format!(
            "**Exercise `{}`.** Replace `todo!()` in the next cell, run it, then run the check below it. \
             Or write it in `{}` and run `cargo study check {}`.\n",
            self.path, self.file, self.crate_name
        )
    }

    /// The Markdown behind the two cells of the exercise in a notebook.
    pub(crate) fn after_cells(&self) -> Result<String> {
        let hints = self.hints(Reader::Notebook)?;
        Ok(format!("{hints}To see a solution, run `cargo study solution {}`.\n", self.path))
    }

    fn hints(&self, reader: Reader) -> Result<String> {
        let mut text = String::new();
        for (index, hint) in self.exercise.hints.iter().enumerate() {
            let hint = match reader {
                Reader::Page => math::render(hint)?,
                Reader::Notebook => hint.clone(),
            };
            text += &html::details("hint", &format!("Hint {}", index + 1), &hint);
            text.push('\n');
        }
        Ok(text)
    }
}
