//! Six queries and a panel of keys: what forward and backward do alike.
//!
//! - [`shape`]: how large a tile is, and its scores;
//! - [`product`]: a tile's sums of products, in registers; [`pack`]: queries and keys in the order in which they are read;
//! - [`edits`]: softcap and masks on its scores;
//! - [`sized`]: code for numbers of rows and vectors that are constants.

pub(crate) mod edits;
pub(crate) mod pack;
pub(crate) mod product;
pub(crate) mod shape;
pub(crate) mod sized;
