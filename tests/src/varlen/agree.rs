//! The six variants side by side: on the real tokens they say the same.

use super::{Heads, Padded, Ragged, packed, padded::Batch, places, ragged::Sequences};
use crate::{
    Proof, State, Verdict,
    harness::{
        Check,
        Group::Implementation,
        Outcome,
        compare::{rounding, same},
    },
    wrong,
};
use candle_core::{Result, Tensor};

/// Four variants for padded batches, two for packed ones.
pub struct Six {
    /// `eager_bidirectional`, `eager_causal`, `sdpa_bidirectional` and `sdpa_causal`.
    pub padded: [Box<Padded>; 4],
    /// `flash_bidirectional` and `flash_causal`.
    pub ragged: [Box<Ragged>; 2],
}

/// Each variant, and what must hold of it, in the order of [`Six`].
const LAWS: [(&str, &str); 6] = [
    (
        "varlen::eager_bidirectional",
        "eager_bidirectional gives the real tokens what the other two bidirectional variants do",
    ),
    (
        "varlen::eager_causal",
        "eager_causal gives the real tokens what the other two causal variants do",
    ),
    (
        "varlen::sdpa_bidirectional",
        "sdpa_bidirectional gives the real tokens what the other two bidirectional variants do",
    ),
    (
        "varlen::sdpa_causal",
        "sdpa_causal gives the real tokens what the other two causal variants do",
    ),
    (
        "varlen::flash_bidirectional",
        "flash_bidirectional gives the packed tokens what the other two bidirectional variants do",
    ),
    (
        "varlen::flash_causal",
        "flash_causal gives the packed tokens what the other two causal variants do",
    ),
];

pub(super) fn zoo() -> Vec<Proof> {
    laws().proofs()
}

/// Checks that all six variants agree on the real tokens of one batch with sequences of 5, 1, 0, 7 and 3 tokens.
///
/// A failure, or a stub, goes by the name of the variant that is at fault.
pub fn six_variants_agree(
    eager_bidirectional: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor>
    + 'static,
    eager_causal: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
    sdpa_bidirectional: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor>
    + 'static,
    sdpa_causal: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor) -> Result<Tensor> + 'static,
    flash_bidirectional: impl Fn(
        &Tensor,
        &Tensor,
        &Tensor,
        usize,
        usize,
        &Tensor,
        usize,
    ) -> Result<Tensor>
    + 'static,
    flash_causal: impl Fn(&Tensor, &Tensor, &Tensor, usize, usize, &Tensor, usize) -> Result<Tensor>
    + 'static,
) -> Verdict {
    let mut verdict = laws().judge(&Six {
        padded: [
            Box::new(eager_bidirectional),
            Box::new(eager_causal),
            Box::new(sdpa_bidirectional),
            Box::new(sdpa_causal),
        ],
        ragged: [Box::new(flash_bidirectional), Box::new(flash_causal)],
    });
    let state = verdict.state();
    if matches!(state, State::Pending | State::Failed) {
        let at_fault = verdict.laws.iter().position(|law| law.state == state);
        verdict.exercise = at_fault.map_or(verdict.exercise, |at| LAWS[at].0);
    }
    verdict
}

/// One batch for all: scores of about 7 numbers a query, padding in front, behind and in between.
fn batch() -> Result<(Batch, Vec<u32>, Vec<usize>)> {
    let lengths = vec![5, 1, 0, 7, 3];
    let batch = Batch::drawn(&lengths, Heads { num: 3, dim: 4 }, 8)?; // 8 % 3 = 2: in between
    let at = places(&batch.keep)?;
    Ok((batch, at, lengths))
}

fn law(six: &Six, which: usize) -> Outcome {
    let (batch, at, lengths) = batch()?;
    let expected = batch.expected(which % 2 == 1)?.to_dtype(batch.x[0].dtype())?;
    let expected = packed(&expected, &at)?;
    let given = format!("{}\nlooked at: the {} real tokens", batch.given(), at.len());
    let answer = match which {
        0..4 => batch.run(&six.padded[which]).and_then(|out| packed(&out, &at)),
        _ => {
            let real = |x: usize| packed(&batch.x[x], &at);
            let x = [real(0)?, real(1)?, real(2)?];
            Sequences { x, heads: batch.heads, lengths }.run(&six.ragged[which - 4])
        }
    };
    // As for each variant: 4 products a score, sums over at most 7 keys.
    same(&given, answer, &expected, rounding(8 * (7 + 4)))
}

fn laws() -> Check<Six> {
    let check = Check::new("varlen::six_variants_agree", wrong::varlen::six_variants());
    (0..6).fold(check, |check, which| {
        check.law(Implementation, LAWS[which].1, move |six| law(six, which))
    })
}
