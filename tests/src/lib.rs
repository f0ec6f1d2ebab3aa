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

/// A week's zoo, in parts.
type Parts = &'static [fn() -> Vec<Proof>];

/// Every wrong answer of the zoo, judged, on as many threads as the machine has.
pub fn zoo() -> Vec<Proof> {
    let weeks: [Parts; _] = [
        #[cfg(feature = "dot-products")]
        dot_products::ZOO,
        #[cfg(feature = "scaling")]
        scaling::ZOO,
        #[cfg(feature = "masking")]
        masking::ZOO,
        #[cfg(feature = "multi-head")]
        multi_head::ZOO,
        #[cfg(feature = "transformer")]
        transformer::ZOO,
        #[cfg(feature = "inside-heads")]
        inside_heads::ZOO,
        #[cfg(feature = "flash")]
        flash::ZOO,
        #[cfg(feature = "varlen")]
        varlen::ZOO,
        #[cfg(feature = "gpu")]
        gpu::ZOO,
    ];
    harness::in_parallel(&weeks.concat()).into_iter().flatten().collect()
}
