//! What a forgotten causal mask does to a model that learns to write.
//!
//! The text counts: each digit is the one before plus 1, with 0 after 9, except that one digit in ten is drawn at random.
//! The model is one attention whose scores depend on positions alone, and a table from the digits that it looks at to the
//! next one. It reads digits 0 to 7 of a line and predicts digits 1 to 8, so all answers but the last are among its keys.

use crate::solution::masked_softmax;
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use scaling::solution::log_sum_exp;

/// The digits that are read of a line.
pub const READ: usize = 8;
/// The symbols of the text.
pub const DIGITS: usize = 10;
/// The lines of a batch.
const LINES: usize = 64;
/// The share of digits that are drawn at random.
const RANDOM: f32 = 0.1;

/// What a model became: losses on new text in nats per digit, and where it looks.
#[derive(Clone, Copy, Debug)]
pub struct Trained {
    /// The loss, a mean over all predictions: what training lowers.
    pub training: f32,
    /// The loss of the last prediction alone, whose answer is not among the keys: as in writing.
    pub writing: f32,
    /// The weight that a query gives to the next digit, its own answer: a mean over the queries whose answer is a key.
    pub on_next: f32,
}

/// Trains for `steps` steps under `mask`, `(READ, READ)`, and measures the result on new text.
pub fn train(mask: Option<&Tensor>, steps: usize) -> Result<Trained> {
    let scores = Var::from_tensor(&seeded::normal(1, (READ, READ))?)?;
    let table = Var::from_tensor(&seeded::normal(2, (DIGITS, DIGITS))?)?;
    let params = ParamsAdamW { lr: 0.1, weight_decay: 0., ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vec![scores.clone(), table.clone()], params)?;
    for step in 0..steps {
        let losses = losses(&scores, &table, mask, 10 + step as u64)?;
        optimizer.backward_step(&losses.mean_all()?)?;
    }
    let losses = losses(&scores, &table, mask, 1)?; // (LINES, READ)
    let weights = masked_softmax(&scores, mask)?.to_vec2::<f32>()?;
    let on_next =
        (1..READ).map(|next| weights[next - 1][next]).sum::<f32>() / (READ - 1) as f32;
    Ok(Trained {
        training: losses.mean_all()?.to_scalar()?,
        writing: losses.narrow(1, READ - 1, 1)?.mean_all()?.to_scalar()?,
        on_next,
    })
}

/// −ln of the probability of each next digit, `(LINES, READ)`, on the text of `seed`.
fn losses(
    scores: &Tensor,
    table: &Tensor,
    mask: Option<&Tensor>,
    seed: u64,
) -> Result<Tensor> {
    let text = text(seed)?; // (LINES, READ + 1, DIGITS), one-hot
    let weights = masked_softmax(scores, mask)?; // (READ, READ)
    let seen = weights.broadcast_matmul(&text.narrow(1, 0, READ)?.contiguous()?)?;
    let logits = seen.broadcast_matmul(table)?; // (LINES, READ, DIGITS)
    let next = (&logits * text.narrow(1, 1, READ)?)?.sum(D::Minus1)?;
    log_sum_exp(&logits)?.squeeze(D::Minus1)? - next
}

/// Lines of counting text, one-hot: `(LINES, READ + 1, DIGITS)`.
fn text(seed: u64) -> Result<Tensor> {
    let draws = seeded::uniform(seed, (LINES, READ + 1, 2))?.to_vec3::<f32>()?;
    let mut digits = Vec::with_capacity(LINES * (READ + 1));
    for line in draws {
        let mut digit = 0;
        for (at, draw) in line.into_iter().enumerate() {
            let random = at == 0 || draw[0] < RANDOM;
            digit = if random {
                (draw[1] * DIGITS as f32) as u32
            } else {
                (digit + 1) % DIGITS as u32
            };
            digits.push(digit);
        }
    }
    let one_hot = Tensor::eye(DIGITS, DType::F32, &Device::Cpu)?;
    let digits = Tensor::new(digits, &Device::Cpu)?;
    one_hot.index_select(&digits, 0)?.reshape((LINES, READ + 1, DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Align, solution::causal_mask};

    #[test]
    fn without_a_mask_training_looks_better_and_writing_is_worse() -> Result<()> {
        let mask = causal_mask(READ, READ, Align::TopLeft, &Device::Cpu)?;
        let (without, with) = (train(None, 200)?, train(Some(&mask), 200)?);
        assert!(without.training < 0.5 * with.training, "{without:?} {with:?}");
        assert!(without.writing > 1.5 * with.writing, "{without:?} {with:?}");
        assert!(without.on_next > 0.7 && with.on_next == 0., "{without:?} {with:?}");
        Ok(())
    }
}
