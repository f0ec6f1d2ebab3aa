//! Week 6: what heads look at, how to measure it, and how to find out whether it matters.
//!
//! - [`solution`]: the measures: entropy, diversity, previous-token and induction scores, ablation, rollout;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`induction`]: a small model in which two heads learn to work together, while you watch;
//! - [`minilm`]: a pretrained encoder in this course's own layers;
//! - [`kinds`]: what each of its heads does, measured on [`sentences`] labelled by hand;
//! - [`maps`]: pictures of what heads look at; [`plots`]: the other figures of the page.

pub mod diagrams;
pub mod exercise;
pub mod induction;
pub mod kinds;
pub mod maps;
pub mod minilm;
pub mod plots;
pub mod sentences;
pub mod solution;
