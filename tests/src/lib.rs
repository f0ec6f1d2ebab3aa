//! The shared checks: what every implementation of an exercise must hold.
//!
//! One public function an exercise, generic over who implements it: [`scaling::softmax`] takes the solution's
//! `softmax`, the learner's, one from a notebook cell, or a wrong one from the zoo, and answers with a [`Verdict`].
//!
//! - [`harness`]: how laws are run, compared, printed and reported;
//! - one module a chapter: its laws;
//! - `wrong/`: the zoo. Each plausible wrong answer comes with the diagnosis that a learner with the same mistake is
//!   shown. `cargo test -p checks --test zoo` proves that each one fails and is diagnosed.

#[cfg(feature = "dot-products")]
pub mod dot_products;
#[cfg(feature = "flash")]
pub mod flash;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod harness;
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

#[path = "../wrong/mod.rs"]
mod wrong;

pub use harness::{Entry, Proof, State, Verdict, run};

/// Every wrong answer of the zoo, judged.
pub fn zoo() -> Vec<Proof> {
    let weeks: [Vec<Proof>; _] = [
        #[cfg(feature = "dot-products")]
        dot_products::zoo(),
        #[cfg(feature = "scaling")]
        scaling::zoo(),
        #[cfg(feature = "masking")]
        masking::zoo(),
        #[cfg(feature = "multi-head")]
        multi_head::zoo(),
        #[cfg(feature = "transformer")]
        transformer::zoo(),
        #[cfg(feature = "inside-heads")]
        inside_heads::zoo(),
        #[cfg(feature = "flash")]
        flash::zoo(),
        #[cfg(feature = "varlen")]
        varlen::zoo(),
        #[cfg(feature = "gpu")]
        gpu::zoo(),
    ];
    weeks.into_iter().flatten().collect()
}
