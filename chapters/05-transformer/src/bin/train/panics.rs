//! What to say when the learner's code panics.

use candle_core::{Error, Result};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::{Arc, Mutex},
};

/// The files that a learner edits: crate, folder, and the text that this program was compiled with.
const FILES: [(&str, &str, &str); 2] = [
    (
        "multi_head",
        "04-multi-head",
        include_str!("../../../../04-multi-head/src/exercise.rs"),
    ),
    ("transformer", "05-transformer", include_str!("../../exercise.rs")),
];

/// Runs `work`; a panic becomes an error that says in which exercise it was.
pub fn explained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let place = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&place);
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let at = info.location().map(|at| (at.file().to_owned(), at.line()));
        *noted.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = at;
    }));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    set_hook(before);
    outcome.unwrap_or_else(|panic| {
        let place =
            place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        Err(Error::Msg(explain(&text(&*panic), place)))
    })
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref().map(|text: &&str| text.to_string()))
        .unwrap_or_default()
}

fn explain(text: &str, place: Option<(String, u32)>) -> String {
    let Some((file, line)) = place else {
        return format!("the model's code panicked: {text}");
    };
    let file = file.replace('\\', "/");
    let exercise = FILES.iter().find_map(|(package, folder, source)| {
        let own = file.ends_with(&format!("{folder}/src/exercise.rs"));
        own.then(|| exercise(source, line))
            .flatten()
            .map(|name| format!("{package}::{name}"))
    });
    match exercise {
        Some(exercise) if text.starts_with("not yet implemented") => format!(
            "exercise `{exercise}` is not solved yet. Next: write it, then type `cargo study check {exercise}`"
        ),
        Some(exercise) => format!(
            "your `{exercise}` panicked in line {line}: {text}. Next: type `cargo study check {exercise}`"
        ),
        None => format!("the model's code panicked at {file}:{line}: {text}"),
    }
}

/// The exercise that line `line` of `source` belongs to: the last whose region begins above it.
fn exercise(source: &str, line: u32) -> Option<&str> {
    let above = source.lines().take(line as usize);
    above.filter_map(|line| line.trim().strip_prefix("// ANCHOR: ")).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_is_named() {
        let (_, folder, source) = FILES[1];
        let line = source
            .lines()
            .position(|line| line == "// ANCHOR_END: layer_norm")
            .unwrap();
        let file = format!("chapters/{folder}/src/exercise.rs");
        let text = explain("not yet implemented", Some((file, line as u32)));
        assert!(text.contains("`transformer::layer_norm` is not solved yet"), "{text}");
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let error =
            explained::<()>(|| panic!("index out of bounds")).unwrap_err().to_string();
        assert!(
            error.contains("panics.rs") && error.ends_with("index out of bounds"),
            "{error}"
        );
    }

    #[test]
    fn other_panics_keep_their_words() {
        let text =
            explain("index out of bounds", Some(("candle/src/lib.rs".into(), 3)));
        assert_eq!(
            text,
            "the model's code panicked at candle/src/lib.rs:3: index out of bounds"
        );
    }
}
