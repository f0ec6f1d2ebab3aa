//! The encoder–decoder Transformer, assembled from its parts.
//!
//! - [`config`]: its sizes; [`init`]: seeded weights to start from;
//! - [`parts`]: the functions it is made of: the solution's, yours, or fast ones;
//! - [`layers`]: embedding, norm, linear, feed-forward, and a layer of each stack;
//! - [`transformer`]: the whole.

pub mod attention;
pub mod config;
pub mod init;
pub mod layers;
pub mod linear;
pub mod parts;
pub mod run;
pub mod transformer;

pub use attention::Attention;
pub use config::TransformerConfig;
pub use layers::{NORM_EPS, Norm};
pub use parts::Parts;
pub use run::Maps;
pub use transformer::Transformer;

// Where earlier pages look for it.
pub use crate::tokens::PADDING;
