//! Week 6: what heads look at, how to measure it, and how to find out whether it matters.
//!
//! - [`solution`]: the measures: entropy, diversity, previous-token and induction scores, ablation, rollout;
//! - [`exercise`]: the same with `todo!()`, for you;
//! - [`induction`]: a small model in which two heads learn to work together, while you watch;
//! - [`minilm`]: a pretrained encoder in this course's own layers;
//! - [`kinds`]: what each of its heads does, measured on [`sentences`] labelled by hand;
//! - [`pronouns`]: whether a pronoun's vector comes near that of its noun, and which heads that takes;
//! - [`maps`]: pictures of what heads look at; [`plots`]: the other figures of the page.

pub mod diagrams;
pub mod exercise;
pub mod induction;
pub mod kinds;
pub mod maps;
pub mod minilm;
pub mod plots;
pub mod pronouns;
pub mod sentences;
pub mod solution;
