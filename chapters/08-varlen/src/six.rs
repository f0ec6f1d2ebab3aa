//! Given: the six variants, compared and timed.

use crate::{batch::Batch, solution, timing::medians};
use candle_core::{Result, Tensor};
use compare::largest_error;
use std::fmt::Write;

/// A variant that takes q, k, v `(batch, seq, hidden)`, heads and their size, and a keep-mask.
pub type Padded = fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor>;
/// A variant that takes q, k, v `(total, hidden)`, heads and their size, `cu_seqlens` and `max_seqlen`.
pub type Packed = fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor, usize) -> Result<Tensor>;

/// One of the six.
#[derive(Clone, Copy, Debug)]
pub enum Variant {
    /// Computes padding too.
    Padded(Padded),
    /// Sees no padding.
    Packed(Packed),
}

/// The six by name: first without a causal mask, then with.
pub const SIX: [(&str, Variant); 6] = [
    ("eager_bidirectional", Variant::Padded(solution::eager_bidirectional)),
    ("sdpa_bidirectional", Variant::Padded(solution::sdpa_bidirectional)),
    ("flash_bidirectional", Variant::Packed(solution::flash_bidirectional)),
    ("eager_causal", Variant::Padded(solution::eager_causal)),
    ("sdpa_causal", Variant::Padded(solution::sdpa_causal)),
    ("flash_causal", Variant::Packed(solution::flash_causal)),
];

impl Variant {
    /// What it gives for its form of the batch: `(batch, seq, hidden)` or `(total, hidden)`.
    pub fn run(&self, batch: &Batch) -> Result<Tensor> {
        let (heads, size) = (batch.num_heads, batch.head_dim);
        match self {
            Self::Padded(attend) => {
                let [q, k, v] = &batch.padded;
                attend(q, k, v, heads, size, &batch.keep)
            }
            Self::Packed(attend) => {
                let [q, k, v] = &batch.packed;
                attend(q, k, v, heads, size, &batch.cu_seqlens, batch.max_seqlen)
            }
        }
    }

    /// What it gives for the real tokens: `(total, hidden)`.
    pub fn real_tokens(&self, batch: &Batch) -> Result<Tensor> {
        let out = self.run(batch)?;
        match self {
            Self::Padded(_) => Ok(solution::unpad(&out, &batch.keep)?.tokens),
            Self::Packed(_) => Ok(out),
        }
    }
}

/// The largest difference between each of [`SIX`] and the eager variant of its kind, on the real tokens.
pub fn differences(batch: &Batch) -> Result<[f64; 6]> {
    let outs = SIX.iter().map(|(_, variant)| variant.real_tokens(batch));
    let outs = outs.collect::<Result<Vec<_>>>()?;
    let mut differences = [0.; 6];
    for (at, difference) in differences.iter_mut().enumerate() {
        let eager = &outs[at / 3 * 3];
        *difference = largest_error(&outs[at], eager)?;
    }
    Ok(differences)
}

/// The median time of each of [`SIX`] over so many rounds, in ms. They take turns.
pub fn times(batch: &Batch, rounds: usize) -> Result<[f64; 6]> {
    let runs = SIX.map(|(_, variant)| move || variant.run(batch));
    let [a, b, c, d, e, f] = &runs;
    medians(rounds, [a, b, c, d, e, f])
}

/// Both as a table for the terminal.
pub fn table(batch: &Batch, rounds: usize) -> Result<String> {
    let (differences, times) = (differences(batch)?, times(batch, rounds)?);
    let mut table = "variant               off by at most       ms   speed-up\n".to_string();
    for (at, (name, _)) in SIX.iter().enumerate() {
        let ratio = times[at / 3 * 3] / times[at];
        let line =
            format!("{name:<20} {:>15.0e} {:>8.1} {ratio:>7.1} ×", differences[at], times[at]);
        writeln!(table, "{line}").map_err(candle_core::Error::wrap)?;
    }
    Ok(table)
}
