//! An exercise of a chapter, as its test program lists it.

use super::verdict::Verdict;

pub(super) type Judge = Box<dyn Fn() -> Verdict + Send>;

/// One exercise: its name, and the check on the chapter's solution and on the learner's file.
pub struct Entry {
    pub(super) name: &'static str,
    pub(super) solution: Judge,
    pub(super) exercise: Judge,
}

impl Entry {
    /// An exercise whose check is called by the two closures.
    pub fn new(
        name: &'static str,
        solution: impl Fn() -> Verdict + Send + 'static,
        exercise: impl Fn() -> Verdict + Send + 'static,
    ) -> Self {
        Self { name, solution: Box::new(solution), exercise: Box::new(exercise) }
    }
}

/// Lists exercises that are free functions: the check, the solution and the stub share one name.
///
/// `entries!(scaling: softmax, entropy)` needs `solution` and `exercise` of the chapter in scope.
#[macro_export]
macro_rules! entries {
    ($chapter:ident: $($name:ident),+ $(,)?) => {
        vec![$($crate::Entry::new(
            stringify!($name),
            || $crate::$chapter::$name(solution::$name),
            || $crate::$chapter::$name(exercise::$name),
        )),+]
    };
}
