//! From what a learner types to a chapter or an exercise.

use anyhow::{Result, bail};
use workbook::{Chapter, Exercise};

use crate::nearest::{nearest, suggestion};

/// What a learner asked for.
pub enum Target {
    /// A whole chapter.
    Chapter(Chapter),
    /// One exercise of a chapter.
    Exercise(Chapter, Exercise),
}

/// The path of an exercise as a learner types it: `multi_head::split_heads`.
pub fn path(chapter: &Chapter, exercise: &str) -> String {
    format!("{}::{exercise}", chapter.crate_name)
}

/// The chapter called `typed`: `scaling`, `02-scaling`, `02` or `2`.
pub fn chapter(chapters: &[Chapter], typed: &str) -> Result<Chapter> {
    if let Some(chapter) = chapters.iter().find(|chapter| is_called(chapter, typed)) {
        return Ok(chapter.clone());
    }
    let known = chapters.iter().map(|chapter| chapter.package.as_str());
    let list: Vec<&str> = known.clone().collect();
    bail!(
        "there is no chapter `{typed}`.{} The chapters are: {}.",
        suggestion(typed, known),
        list.join(", ")
    )
}

/// The exercise called `typed`: `scaling::softmax`, or `softmax` where only one chapter has it.
pub fn exercise(chapters: &[Chapter], typed: &str) -> Result<(Chapter, Exercise)> {
    match target(chapters, typed)? {
        Target::Exercise(chapter, exercise) => Ok((chapter, exercise)),
        Target::Chapter(chapter) => {
            let exercises = chapter.exercises()?;
            let list: Vec<String> = exercises.iter().map(|e| path(&chapter, &e.name)).collect();
            bail!("`{typed}` is a chapter: name one of its exercises: {}.", list.join(", "))
        }
    }
}

/// The chapter or the exercise called `typed`.
pub fn target(chapters: &[Chapter], typed: &str) -> Result<Target> {
    if let Some((first, second)) = typed.split_once("::") {
        let chapter = chapter(chapters, first)?;
        let exercises = chapter.exercises()?;
        if let Some(found) = exercises.iter().find(|e| same(&e.name, second)) {
            return Ok(Target::Exercise(chapter, found.clone()));
        }
        let list: Vec<String> = exercises.iter().map(|e| path(&chapter, &e.name)).collect();
        let meant = nearest(second, exercises.iter().map(|e| e.name.as_str()));
        bail!(
            "`{}` has no exercise `{second}`.{} Its exercises are: {}.",
            chapter.package,
            meant.map_or_else(String::new, |name| format!(
                " Did you mean `{}`?",
                path(&chapter, name)
            )),
            list.join(", ")
        );
    }
    if let Some(found) = chapters.iter().find(|chapter| is_called(chapter, typed)) {
        return Ok(Target::Chapter(found.clone()));
    }
    bare_exercise(chapters, typed)
}

fn bare_exercise(chapters: &[Chapter], typed: &str) -> Result<Target> {
    let mut all = Vec::new();
    for chapter in chapters {
        all.extend(chapter.exercises()?.into_iter().map(|exercise| (chapter.clone(), exercise)));
    }
    let found: Vec<_> = all.iter().filter(|(_, exercise)| same(&exercise.name, typed)).collect();
    match found.as_slice() {
        [(chapter, exercise)] => Ok(Target::Exercise(chapter.clone(), exercise.clone())),
        [] => {
            let paths: Vec<String> =
                all.iter().map(|(chapter, e)| path(chapter, &e.name)).collect();
            let packages = chapters.iter().map(|chapter| chapter.package.as_str());
            let by_name = nearest(typed, all.iter().map(|(_, e)| e.name.as_str()))
                .and_then(|name| all.iter().position(|(_, e)| e.name == name))
                .map(|index| paths[index].as_str());
            let meant = nearest(typed, packages.clone()).or(by_name);
            let list: Vec<&str> = packages.collect();
            bail!(
                "there is no chapter or exercise `{typed}`.{} The chapters are: {}; an exercise is named like `{}`.",
                meant.map_or_else(String::new, |name| format!(" Did you mean `{name}`?")),
                list.join(", "),
                paths.first().map_or("scaling::softmax", String::as_str)
            )
        }
        several => {
            let list: Vec<String> = several.iter().map(|(c, e)| path(c, &e.name)).collect();
            bail!("several chapters have an exercise `{typed}`: type one of {}.", list.join(", "))
        }
    }
}

fn is_called(chapter: &Chapter, typed: &str) -> bool {
    same(&chapter.package, typed)
        || same(&chapter.stem, typed)
        || typed.parse().is_ok_and(|week: u32| week == chapter.week)
}

/// Whether two names differ in letter case and in `-` for `_` only.
fn same(name: &str, typed: &str) -> bool {
    name.replace('-', "_").eq_ignore_ascii_case(&typed.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Chapter> {
        ["01-dot-products", "02-scaling", "04-multi-head"]
            .map(|stem| Chapter {
                stem: stem.to_owned(),
                week: stem[..2].parse().unwrap(),
                package: stem[3..].to_owned(),
                crate_name: stem[3..].replace('-', "_"),
                dir: stem.into(),
                able: String::new(),
            })
            .to_vec()
    }

    #[test]
    fn a_chapter_has_many_names() {
        for typed in ["multi-head", "multi_head", "04-multi-head", "04", "4", "Multi-Head"] {
            assert_eq!(chapter(&sample(), typed).unwrap().stem, "04-multi-head");
        }
    }

    #[test]
    fn an_unknown_chapter_gets_a_suggestion() {
        let error = chapter(&sample(), "scalling").unwrap_err().to_string();
        assert!(error.contains("Did you mean `scaling`?"), "{error}");
        let error = chapter(&sample(), "11").unwrap_err().to_string();
        assert!(error.contains("The chapters are: dot-products, scaling, multi-head"), "{error}");
    }
}
