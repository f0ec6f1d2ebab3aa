//! The shared checks: what every implementation of an exercise must hold.
//!
//! One public function an exercise, generic over who implements it: [`scaling::softmax`] takes the solution's
//! `softmax`, the learner's, one from a notebook cell, or a wrong one from the zoo, and answers with a [`Verdict`].
//!
//! - [`harness`]: how laws are run, compared, printed and reported;
//! - one module a chapter: its laws;
//! - `wrong/`: the zoo. Each plausible wrong answer comes with the diagnosis that a learner with the same mistake is
//!   shown. `cargo test -p checks --test zoo` proves that each one fails and is diagnosed.

pub mod dot_products;
pub mod flash;
pub mod gpu;
pub mod harness;
pub mod inside_heads;
pub mod masking;
pub mod multi_head;
pub mod scaling;
pub mod transformer;
pub mod varlen;

#[path = "../wrong/mod.rs"]
mod wrong;

pub use harness::{Entry, Proof, State, Verdict, run};

/// Every wrong answer of the zoo, judged.
pub fn zoo() -> Vec<Proof> {
    [
        dot_products::zoo(),
        scaling::zoo(),
        masking::zoo(),
        multi_head::zoo(),
        transformer::zoo(),
        inside_heads::zoo(),
        flash::zoo(),
        varlen::zoo(),
        gpu::zoo(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
