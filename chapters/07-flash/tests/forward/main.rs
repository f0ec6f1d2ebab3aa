//! The kernel, on every path that this processor has, against attention in f64 by the definition.
//!
//! With AddressSanitizer, for what the kernel reads and writes by pointer:
//!
//! ```text
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly test -p flash --test forward --target x86_64-unknown-linux-gnu
//! ```

mod edges;
mod errors;
mod grid;
#[path = "../common/options.rs"]
mod options;
mod properties;
mod random;
mod reference;
mod special;
