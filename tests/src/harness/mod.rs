//! How laws are run, compared, printed and reported.

pub mod cases;
pub mod check;
pub mod compare;
pub mod fixtures;
pub mod gradient;
mod parallel;
mod quiet;
pub mod run;
pub mod show;
pub mod verdict;
pub mod why;

pub use check::{Check, Proof};
pub use compare::{Breach, Outcome};
pub(crate) use parallel::in_parallel;
pub use run::{Entry, run};
pub use verdict::{Cause, Group, LawResult, State, Verdict};
