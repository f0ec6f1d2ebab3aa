//! Week 6's wrong answers.

mod ablate;
mod maps;
mod rollout;
mod scores;

pub use ablate::ablate_head;
pub use maps::{attention_entropy, head_diversity};
pub use rollout::rollout;
pub use scores::{induction_score, previous_token_score};

use super::{Wrong, wrong};
use candle_core::{D, DType, Result, Tensor, bail};

/// An error when a tensor of four dimensions has nothing in it.
fn some(weights: &Tensor) -> Result<(usize, usize, usize, usize)> {
    let dims = weights.dims4()?;
    if weights.elem_count() == 0 {
        bail!("weights: expected at least one number");
    }
    Ok(dims)
}
