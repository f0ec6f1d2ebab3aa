//! How laws are run, compared, printed and reported.

pub mod cases;
pub mod check;
mod child;
pub mod compare;
mod ending;
mod entry;
pub mod fixtures;
pub mod gradient;
mod line;
mod parallel;
mod pool;
mod printed;
mod quiet;
pub mod run;
mod seen;
pub mod show;
mod stream;
mod trace;
pub mod verdict;
pub mod why;

pub use check::{Check, Proof};
pub use compare::{Breach, Outcome};
pub use entry::Entry;
pub(crate) use parallel::in_parallel;
pub use run::run;
pub use verdict::{Cause, Group, LawResult, State, Verdict};
