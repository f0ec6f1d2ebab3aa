//! The kernel's sources once more, compiled for plain arrays in the shapes of other processors' vectors: see
//! `src/kernel/emulated.rs`. The library's own tests would compile them for this processor's vectors too.

#![allow(dead_code, unused_imports, reason = "the way in from the library is missing")]

#[path = "../src/kernel/mod.rs"]
mod kernel;
#[path = "../src/lengths.rs"]
mod lengths;
#[path = "../src/options.rs"]
mod options;
#[path = "../src/shapes.rs"]
mod shapes;
