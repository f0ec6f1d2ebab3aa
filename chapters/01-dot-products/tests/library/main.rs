//! The library of week 1: what the chapter finds, and right answers in other styles.

mod findings;
mod styles;
