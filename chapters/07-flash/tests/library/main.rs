//! The library of week 7: the kernel on every path that this processor has, its rungs, and right answers in other styles.
//!
//! With AddressSanitizer, for what the kernel reads and writes by pointer:
//!
//! ```text
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p flash --test library --target x86_64-unknown-linux-gnu
//! ```

mod backward;
mod cost;
mod diagrams;
mod forward;
mod lowest_bias;
mod options;
mod pytorch;
mod rungs;
mod styles;
