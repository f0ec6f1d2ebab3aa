//! One source for page and notebook.
//!
//! A page of the book is Markdown in which some fences mean more: ```` ```rust,cell ```` is a notebook
//! cell, ```` ```quiz ```` a question, ```` ```predict ```` something to guess first, and
//! `{{#exercise scaling::softmax}}` an exercise, `{{#given scaling}}` the list of what its exercises may
//! build on. A cell may carry tags behind the word `cell`:
//!
//! | tag | the cell |
//! |---|---|
//! | `timing` | may print other numbers when it runs again |
//! | `hidden` | is set-up: its code is folded away, on the page and in the notebook |
//! | `figure` | is there for its picture: the page shows the output, and below it the code, folded away |
//!
//! A `predict` fence holds a question, two choices or more, `(a)`, `(b)`, in a line or in a list, and below a line `---`
//! the answer, which begins with the right letter and is folded away, too.
//!
//! A [`Page`] is such a text taken apart. From it come
//! - the page for mdBook ([`preprocess`]), with formulas as MathML and the outputs of the notebook
//!   under its cells,
//! - the notebook ([`draft::notebook`]), not yet run,
//! - and, from a notebook that was run, the one that is committed ([`accept::accept`]).

pub mod accept;
mod blocks;
mod directive;
pub mod draft;
mod html;
mod inline;
mod math;
pub mod notebook;
mod outputs;
mod page;
mod paper;
mod predict;
pub mod preprocess;
mod prose;
mod quiz;
mod render;
pub mod source;

pub use page::{Block, CodeCell, Page};
