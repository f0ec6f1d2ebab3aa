//! Nothing but dependencies.
//!
//! What `cargo study` and the chapters both use has one set of features here, and is compiled once. The libraries that
//! derive macros are written with are among them: `workbook` reads the learner's code with the same ones.
