//! The zoo: plausible wrong answers, one module a chapter.

#[cfg(feature = "dot-products")]
pub mod dot_products;
#[cfg(feature = "flash")]
pub mod flash;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "inside-heads")]
pub mod inside_heads;
#[cfg(feature = "masking")]
pub mod masking;
#[cfg(feature = "multi-head")]
pub mod multi_head;
#[cfg(feature = "scaling")]
pub mod scaling;
#[cfg(feature = "transformer")]
pub mod transformer;
#[cfg(feature = "varlen")]
pub mod varlen;

/// A plausible wrong answer to an exercise whose answers have the type `F`.
pub struct Wrong<F: ?Sized> {
    /// What was done wrong, in a few words; the name of its test.
    pub name: &'static str,
    /// What a learner who did the same is told: the likely cause, and why it is wrong.
    pub diagnosis: &'static str,
    /// The wrong answer itself.
    pub answer: Box<F>,
}

/// Builds one [`Wrong`]; the closure is coerced to the exercise's function type by the list it stands in.
macro_rules! wrong {
    ($name:literal, $diagnosis:expr, $answer:expr $(,)?) => {
        crate::wrong::Wrong { name: $name, diagnosis: $diagnosis, answer: Box::new($answer) }
    };
}
pub(crate) use wrong;
