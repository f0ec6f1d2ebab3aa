//! Week 4: from one head to many.
//!
//! - [`solution`]: splitting and combining heads, dropout, shared keys and values, [`MultiHeadAttention`], and what it costs;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`config`]: the sizes of a layer, and whether its inputs fit them;
//! - [`projection`]: a linear layer on `(batch, seq, dim)`;
//! - [`seeds`]: where dropout's random numbers come from;
//! - [`weights`]: seeded weights to start from;
//! - [`retrieval`]: a task that one head cannot do and two can, and its training;
//! - [`dictionary`]: a language that no one speaks, and a cross-attention that learns to read it;
//! - [`plots`]: the figures of the page.

pub mod config;
pub mod diagrams;
pub mod dictionary;
pub mod exercise;
pub mod plots;
pub mod projection;
pub mod retrieval;
pub mod seeds;
pub mod solution;
pub mod weights;

pub use config::MultiHeadConfig;
pub use seeds::SeedStream;
pub use solution::MultiHeadAttention;
