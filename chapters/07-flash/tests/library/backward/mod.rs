//! The way back, against candle's through the naive version and against finite differences.

mod differences;
mod edges;
mod grid;
mod reference;
mod special;
