//! The way back, on every path that this processor has, against candle's through the naive version and against finite
//! differences.

mod differences;
mod edges;
mod grid;
#[path = "../common/options.rs"]
mod options;
mod reference;
mod special;
