//! Week 4: from one head to many.

pub mod solution;
