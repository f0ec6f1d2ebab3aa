//! Nothing but dependencies.
//!
//! Cargo builds a dependency with the features that the chosen packages ask for. `cargo test --workspace` and
//! `cargo test --package scaling` choose differently, and so would each compile candle anew, which takes minutes. This
//! crate asks for the union, and every crate that uses candle depends on it.
