//! Wrong stacks of layers.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;

use candle_core::{Result, Tensor};

/// The right mask of the padding: `(batch, seq)` → u8 `(batch, 1, 1, seq)`.
fn real(tokens: &Tensor) -> Result<Tensor> {
    tokens.ne(0u32)?.unsqueeze(1)?.unsqueeze(1)
}
