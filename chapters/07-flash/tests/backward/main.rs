//! The way back, on every path that this processor has, against candle's through the naive version and against finite
//! differences.
//!
//! With AddressSanitizer, for what the kernel reads and writes by pointer:
//!
//! ```text
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p flash --test backward --target x86_64-unknown-linux-gnu
//! ```

mod differences;
mod edges;
mod grid;
#[path = "../common/options.rs"]
mod options;
mod reference;
mod special;
