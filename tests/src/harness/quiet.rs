//! Catching panics of a learner's code without their noise.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::Once,
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic of this thread began, if there was one.
    static BEGAN: Cell<Option<Place>> = const { Cell::new(None) };
}

/// Where a panic began.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// In code of this course: a learner's, most likely.
    Here,
    /// In a dependency, such as candle.
    Dependency,
}

/// What was caught.
#[derive(Debug)]
pub struct Panic {
    /// Its text.
    pub text: String,
    began: Option<Place>,
}

impl Panic {
    /// What is still to be written, if that is what the panic says: `todo: later` for a `todo!("later")`, nothing for a
    /// plain one. candle's own "not yet implemented: …" is a fault of the answer.
    pub fn pending(&self) -> Option<String> {
        let kinds = [("not yet implemented", "todo"), ("not implemented", "unimplemented")];
        kinds.iter().find_map(|(start, name)| {
            let rest = self.text.strip_prefix(start)?;
            match self.began {
                Some(Place::Dependency) => None,
                _ if rest.is_empty() => Some(String::new()),
                // From another thread its place is not known, and it may be candle's.
                None => None,
                Some(Place::Here) => rest.strip_prefix(": ").map(|text| format!("{name}: {text}")),
            }
        })
    }
}

/// Runs `work`; a panic comes back instead of unwinding further or printing.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            BEGAN.set(place(info));
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    BEGAN.set(None);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    result.map_err(|payload| Panic {
        text: payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
            .unwrap_or_else(|| "a panic without a text".to_string()),
        began: BEGAN.get(),
    })
}

fn place(info: &PanicHookInfo) -> Option<Place> {
    let file = info.location()?.file();
    Some(if is_of_a_dependency(file) { Place::Dependency } else { Place::Here })
}

/// Whether a source file is candle's, wherever cargo keeps it, another package's from a registry, or the standard
/// library's.
fn is_of_a_dependency(file: &str) -> bool {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let candle = |part: &&str| {
        ["candle-core", "candle-nn", "candle-flash-attn"].iter().any(|name| part.starts_with(name))
    };
    parts.iter().any(candle)
        || parts.windows(2).any(|pair| pair == ["registry", "src"])
        || file.starts_with("/rustc/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_known_by_its_path() {
        for file in [
            "/home/me/.cargo/registry/src/index.crates.io-6f17d22bba15001f/gemm-0.19.0/src/lib.rs",
            r"C:\Users\me\.cargo\registry\src\index\candle-core-0.11.1\src\op.rs",
            "vendor/candle-nn/src/ops.rs",
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/option.rs",
        ] {
            assert!(is_of_a_dependency(file), "{file}");
        }
        for file in ["chapters/02-scaling/src/exercise.rs", r"chapters\02-scaling\src\exercise.rs"]
        {
            assert!(!is_of_a_dependency(file), "{file}");
        }
    }

    #[test]
    fn what_is_still_to_be_written_is_told() {
        let pending = |work: fn()| catch(work).unwrap_err().pending();
        assert_eq!(pending(|| todo!()).as_deref(), Some(""));
        assert_eq!(pending(|| unimplemented!()).as_deref(), Some(""));
        assert_eq!(pending(|| todo!("later")).as_deref(), Some("todo: later"));
        assert_eq!(pending(|| unimplemented!("{}", 3)).as_deref(), Some("unimplemented: 3"));
        assert_eq!(pending(|| panic!("not yet implementedness")), None);
        let candles = Panic {
            text: "not yet implemented: no unary function for u8".to_owned(),
            began: Some(Place::Dependency),
        };
        assert_eq!(candles.pending(), None);
    }
}
