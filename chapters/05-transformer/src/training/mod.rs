//! Training a Transformer, step by step, the same from run to run.
//!
//! - [`settings`]: everything that decides how a training goes; [`tasks`]: copy, reverse, sort;
//! - [`trainer`]: the steps; [`adam`] and [`schedule`]: how far each moves; [`variables`]: what is moved;
//! - [`evaluation`]: what the model gets right; [`checkpoint`]: a training on disk, by [`files`].

pub mod adam;
pub mod checkpoint;
pub mod evaluation;
pub mod files;
pub mod history;
mod part;
pub mod schedule;
pub mod settings;
pub mod tasks;
pub mod trainer;
pub mod variables;

pub use evaluation::{exact_match, write};
pub use history::History;
pub use settings::{CodePath, Settings};
pub use trainer::Trainer;
