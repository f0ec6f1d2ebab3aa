//! The options of programs that stand behind `cargo study`: the command and the program share them, so that there is
//! one list and one help, and a mistyped option is refused before anything is compiled.
//!
//! - [`mod@bench`]: what `cargo study bench` measures, and the rows of its table;
//! - [`train`]: what `cargo study train` trains.

pub mod bench;
pub mod train;
