//! The options of programs that stand behind `cargo study`: one list, one help, and a slip is refused before anything is
//! compiled.
//!
//! - [`mod@bench`]: what `cargo study bench` measures, and the rows of its table;
//! - [`train`]: what `cargo study train` trains;
//! - [`visualize`]: what `cargo study visualize` draws;
//! - [`numbers`] and [`files`]: what is typed as a number, or as the name of a file.

pub mod bench;
pub mod files;
pub mod numbers;
pub mod train;
pub mod visualize;
