//! The kernel: attention and its gradients in tiles that fit a processor's registers.
//!
//! - [`data`]: numbers in memory: tensors with their strides, aligned buffers, f32 and f64, what a query sees;
//! - [`instructions`]: vectors, for each set of instructions: [`instructions::lanes`] says what they must do;
//! - [`tile`]: six queries and a panel of keys: the products, the order in which they read, softcap and masks;
//! - [`work`]: what is to be computed, how it is cut into blocks, and how threads share them;
//! - [`forward`]: the online softmax on a tile, and a block of queries on its way through the keys;
//! - [`backward`]: the gradients, by computing the weights again;
//! - [`path`]: which instructions this processor has; [`dispatch`]: from there to the code compiled for them.
//!
//! A new set of instructions is a file beside [`instructions::arrays`] and a line in [`path`] and [`dispatch`].

mod backward;
mod data;
mod dispatch;
#[cfg(test)]
mod emulated;
mod forward;
mod instructions;
mod path;
mod tile;
mod work;

pub(crate) use backward::problem::Backward;
pub(crate) use data::real::Real;
pub(crate) use data::rows::Heads;
pub(crate) use data::spans::Hiding;
pub(crate) use dispatch::Dispatch;
pub use path::Path;
pub(crate) use tile::edits::{Edits, Mask};
pub(crate) use work::problem::Problem;
