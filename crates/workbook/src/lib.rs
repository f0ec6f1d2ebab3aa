//! Reads the chapters of the course from the files of the workspace.
//!
//! A chapter is a folder `chapters/02-scaling`. Its `src/solution.rs` holds the final code, with every
//! exercise between `// ANCHOR: name` and `// ANCHOR_END: name`; its `hints.md` names the exercises in
//! order, three hints each. What a learner edits, `src/exercise.rs`, is made from the solution by
//! [`Chapter::stub_file`]; who calls whom there, [`needed`] says.
//!
//! ```no_run
//! let workspace = workbook::Workspace::find(std::path::Path::new("."))?;
//! for chapter in workspace.chapters()? {
//!     for exercise in chapter.exercises()? {
//!         println!("{}::{}", chapter.crate_name, exercise.name);
//!     }
//! }
//! # anyhow::Ok(())
//! ```

mod calls;
mod chapter;
mod given;
mod hints;
mod manifest;
mod regions;
mod stub;
mod text;
mod workspace;

pub use calls::needed;
pub use chapter::{Chapter, Exercise};
pub use given::Given;
pub use workspace::Workspace;
