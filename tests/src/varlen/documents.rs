//! What positions and masks of packed sequences must hold.

use super::{BAD_ENDS, bad_ends_refused, ends, ints, rows};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        compare::{exactly, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use proptest::collection::vec;

/// `position_ids`: where sequences begin to each token's position.
pub type PositionIds = dyn Fn(&Tensor) -> Result<Tensor>;
/// `document_mask`: where sequences begin, and whether the future is hidden, to a keep-mask.
pub type DocumentMask = dyn Fn(&Tensor, bool) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [position_laws().proofs(), mask_laws().proofs()].into_iter().flatten().collect()
}

/// Checks each packed token's position in its own sequence: `(batch + 1)`, u32 → `(total)`, u32.
pub fn position_ids(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    position_laws().judge(&answer)
}

fn position_law(f: &PositionIds, cu_seqlens: &[u32], expected: &[u32]) -> Outcome {
    let cu_seqlens = ints(cu_seqlens)?;
    let given = inputs(&[("cu_seqlens", &cu_seqlens)]);
    same(&given, f(&cu_seqlens), &ints(expected)?, exactly())
}

fn position_laws() -> Check<PositionIds> {
    Check::new("varlen::position_ids", wrong::varlen::position_ids())
        .law(Implementation, "one sequence of three tokens: 0, 1, 2, in u32", |f| {
            position_law(f, &[0, 3], &[0, 1, 2])
        })
        .law(Implementation, "each sequence starts again at 0: 0, 2, 5 give 0, 1, 0, 1, 2", |f| {
            position_law(f, &[0, 2, 5], &[0, 1, 0, 1, 2])
        })
        .law(Implementation, "so does a third one: 0, 1, 4, 6", |f| {
            position_law(f, &[0, 1, 4, 6], &[0, 0, 1, 2, 0, 1])
        })
        .law(Implementation, "an empty sequence has no token: 0, 2, 2, 3 give 0, 1, 0", |f| {
            position_law(f, &[0, 2, 2, 3], &[0, 1, 0])
        })
        .property(
            Implementation,
            "0, 1, 2, … up to each length, for any lengths",
            vec(0..9usize, 1..7),
            |f, lengths| {
                let mut expected = vec![];
                for length in &lengths {
                    expected.extend((0..*length).map(|at| at as u32));
                }
                position_law(f, &ends(&lengths)?.to_vec1()?, &expected)
            },
        )
        .law(Edges(why::EMPTY), "no token: an empty row of u32", |f| {
            position_law(f, &[0], &[])?;
            position_law(f, &[0, 0, 0], &[])
        })
        .law(
            Edges(BAD_ENDS),
            "it is an error if cu_seqlens does not begin with 0, or falls, or is not a row of u32",
            |f| bad_ends_refused(f),
        )
}

/// Checks the keep-mask over packed tokens: `(batch + 1)`, u32 → `(total, total)`, u8.
pub fn document_mask(answer: impl Fn(&Tensor, bool) -> Result<Tensor> + 'static) -> Verdict {
    mask_laws().judge(&answer)
}

fn mask_law(f: &DocumentMask, cu_seqlens: &Tensor, causal: bool, expected: &Tensor) -> Outcome {
    let given = remember(format!("{}\ncausal: {causal}", inputs(&[("cu_seqlens", cu_seqlens)])));
    same(&given, f(cu_seqlens, causal), expected, exactly())
}

fn mask_laws() -> Check<DocumentMask> {
    Check::new("varlen::document_mask", wrong::varlen::document_mask())
        .law(
            Masks,
            "two tokens and one: the two see each other, the third sees itself (rows are queries)",
            |f| {
                let expected = rows(&[[1, 1, 0], [1, 1, 0], [0, 0, 1]])?;
                mask_law(f, &ints(&[0, 2, 3])?, false, &expected)
            },
        )
        .law(Masks, "causal: of the two, only the second sees the other", |f| {
            let expected = rows(&[[1, 0, 0], [1, 1, 0], [0, 0, 1]])?;
            mask_law(f, &ints(&[0, 2, 3])?, true, &expected)
        })
        .law(Masks, "one token, then two: sequences may grow longer", |f| {
            let cu_seqlens = ints(&[0, 1, 3])?;
            mask_law(f, &cu_seqlens, false, &rows(&[[1, 0, 0], [0, 1, 1], [0, 1, 1]])?)?;
            mask_law(f, &cu_seqlens, true, &rows(&[[1, 0, 0], [0, 1, 0], [0, 1, 1]])?)
        })
        .law(Masks, "three sequences: the third does not see the first", |f| {
            let cu_seqlens = ints(&[0, 1, 2, 4])?;
            let expected =
                rows(&[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])?;
            mask_law(f, &cu_seqlens, false, &expected)
        })
        .property(
            Masks,
            "a block of ones (causal: a triangle) for each sequence along the diagonal, zeros elsewhere",
            (vec(0..5usize, 1..5), proptest::bool::ANY),
            |f, (lengths, causal)| {
                let total: usize = lengths.iter().sum();
                let mut blocks = vec![0u8; total * total];
                let mut begin = 0;
                for &length in &lengths {
                    for query in begin..begin + length {
                        let keys = if causal { begin..query + 1 } else { begin..begin + length };
                        keys.for_each(|key| blocks[query * total + key] = 1);
                    }
                    begin += length;
                }
                let blocks = Tensor::from_vec(blocks, (total, total), &Device::Cpu)?;
                mask_law(f, &ends(&lengths)?, causal, &blocks)
            },
        )
        .law(Edges(why::EMPTY), "no token: an empty mask, (0, 0) of u8", |f| {
            let none = Tensor::zeros((0, 0), DType::U8, &Device::Cpu)?;
            mask_law(f, &ints(&[0])?, true, &none)?;
            mask_law(f, &ints(&[0, 0, 0])?, false, &none)
        })
        .law(Edges(why::COUNT), "300 sequences, more than a u8 can count", |f| {
            let cu_seqlens = ends(&[1; 300])?;
            let expected = Tensor::eye(300, DType::U8, &Device::Cpu)?;
            mask_law(f, &cu_seqlens, false, &expected)
        })
        .law(Edges(BAD_ENDS), "it is an error if cu_seqlens does not begin with 0, or falls, or is not a row of u32", |f| {
            bad_ends_refused(|cu_seqlens| f(cu_seqlens, false))?;
            bad_ends_refused(|cu_seqlens| f(cu_seqlens, true))
        })
}
