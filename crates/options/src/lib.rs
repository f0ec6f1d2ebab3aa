//! The options of programs that stand behind `cargo study`: one list, one help, and a slip is refused before anything is
//! compiled.
//!
//! - [`mod@bench`]: what `cargo study bench` measures, and the rows of its table;
//! - [`train`]: what `cargo study train` trains;
//! - [`visualize`]: what `cargo study visualize` draws;
//! - [`numbers`], [`files`] and [`device`]: what is typed as a number, as the name of a file, as a device.

pub mod bench;
pub mod device;
pub mod files;
pub mod numbers;
pub mod train;
pub mod visualize;
