//! What padding costs, and what cumulative lengths must hold.

use super::{BAD_ENDS, bad_ends_refused, ends, ints};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation},
        Outcome,
        compare::{exactly, refused, same, value},
        show::{inputs, numbers_apart, remember},
        why,
    },
    wrong,
};
use candle_core::{Device, Result, Tensor};
use proptest::collection::vec;

/// `padding_waste`: lengths to the wasted shares of tokens and of pairs.
pub type PaddingWaste = dyn Fn(&[usize]) -> (f64, f64);
/// `cu_seqlens`: lengths to where each sequence begins.
pub type CuSeqlens = dyn Fn(&[usize], &Device) -> Result<Tensor>;
/// `max_seqlen`: where sequences begin to the longest length.
pub type MaxSeqlen = dyn Fn(&Tensor) -> Result<usize>;

pub(super) fn zoo() -> Vec<Proof> {
    [waste_laws().proofs(), ends_laws().proofs(), longest_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

/// Checks what padding to the longest sequence costs: lengths → shares of tokens and of pairs.
pub fn padding_waste(answer: impl Fn(&[usize]) -> (f64, f64) + 'static) -> Verdict {
    waste_laws().judge(&answer)
}

fn waste_law(f: &PaddingWaste, lengths: &[usize], expected: (f64, f64)) -> Outcome {
    let given = remember(format!("lengths: {lengths:?}"));
    let got = f(lengths);
    for (share, expected, got) in
        [("of tokens", expected.0, got.0), ("of pairs", expected.1, got.1)]
    {
        // A few sums, a product, a division and a difference, all of size 1 or less.
        if (expected - got).abs() <= 8. * f64::EPSILON {
            continue;
        }
        let [expected, got] = numbers_apart(expected, got).map(|x| format!("{x} ({share})"));
        return Err(Breach::text(&given, &expected, &got));
    }
    Ok(())
}

fn waste_laws() -> Check<PaddingWaste> {
    Check::new("varlen::padding_waste", wrong::varlen::padding_waste())
        .law(
            Implementation,
            "lengths 3 and 1: 4 of 2·3 tokens are real, and 3² + 1² = 10 of 2·3² pairs",
            |f| waste_law(f, &[3, 1], (1. / 3., 4. / 9.)),
        )
        .law(
            Implementation,
            "lengths 2, 3, 4: 9 of 12 tokens are real, and 4 + 9 + 16 = 29 of 48 pairs",
            |f| waste_law(f, &[2, 3, 4], (0.25, 19. / 48.)),
        )
        .law(Implementation, "equal lengths waste nothing", |f| waste_law(f, &[5, 5], (0., 0.)))
        .law(Implementation, "an empty sequence is padded like any other: it is all waste", |f| {
            waste_law(f, &[0, 2], (0.5, 0.5))
        })
        .property(
            Implementation,
            "1 − real / all, of tokens and of pairs, for any lengths in any order",
            vec(1..40usize, 1..9),
            |f, lengths| {
                let longest = lengths.iter().fold(0, |max, &n| n.max(max));
                let (tokens, pairs): (usize, usize) =
                    lengths.iter().fold((0, 0), |(sum, squares), n| (sum + n, squares + n * n));
                let share = |real: usize, each: usize| {
                    (lengths.len() * each - real) as f64 / (lengths.len() * each) as f64
                };
                waste_law(f, &lengths, (share(tokens, longest), share(pairs, longest * longest)))
            },
        )
        .law(
            Edges(why::EMPTY),
            "without tokens nothing is wasted: no sequences, or only empty ones",
            |f| {
                waste_law(f, &[], (0., 0.))?;
                waste_law(f, &[0, 0], (0., 0.))
            },
        )
        .law(
            Edges("counted over a whole data set, tokens run into many billions: their squares fit no 64-bit integer."),
            "lengths of 2³³ and 2³²: their squares are above 2⁶⁴",
            |f| waste_law(f, &[1 << 33, 1 << 32], (0.25, 0.375)),
        )
}

/// Checks where each sequence begins and the last one ends: lengths → `(batch + 1)`, u32.
pub fn cu_seqlens(answer: impl Fn(&[usize], &Device) -> Result<Tensor> + 'static) -> Verdict {
    ends_laws().judge(&answer)
}

fn ends_law(f: &CuSeqlens, lengths: &[usize], expected: &[u32]) -> Outcome {
    let given = remember(format!("lengths: {lengths:?}"));
    same(&given, f(lengths, &Device::Cpu), &ints(expected)?, exactly())
}

fn ends_laws() -> Check<CuSeqlens> {
    Check::new("varlen::cu_seqlens", wrong::varlen::cu_seqlens())
        .law(Implementation, "one sequence of 3 tokens begins at 0 and ends at 3, in u32", |f| {
            ends_law(f, &[3], &[0, 3])
        })
        .law(
            Implementation,
            "lengths 2, 3, 4: each begins where the one before ends, so 0, 2, 5, 9",
            |f| ends_law(f, &[2, 3, 4], &[0, 2, 5, 9]),
        )
        .law(Implementation, "the sequences keep their order: 4, 1, 3 give 0, 4, 5, 8", |f| {
            ends_law(f, &[4, 1, 3], &[0, 4, 5, 8])
        })
        .law(
            Implementation,
            "an empty sequence begins and ends at the same place: 2, 0, 3 give 0, 2, 2, 5",
            |f| ends_law(f, &[2, 0, 3], &[0, 2, 2, 5]),
        )
        .property(
            Implementation,
            "one number more than sequences, and neighbours differ by the lengths",
            vec(0..50usize, 1..9),
            |f, lengths| {
                let expected: Vec<u32> = (0..=lengths.len())
                    .map(|n| lengths[..n].iter().sum::<usize>() as u32)
                    .collect();
                ends_law(f, &lengths, &expected)
            },
        )
        .law(Edges(why::EMPTY), "no sequences: a single 0", |f| ends_law(f, &[], &[0]))
        .law(
            Edges(why::EMPTY),
            "empty sequences at the start and the end: 0, 2, 0 give 0, 0, 2, 2",
            |f| ends_law(f, &[0, 2, 0], &[0, 0, 2, 2]),
        )
        .law(
            Edges(why::COUNT),
            "a total of u32::MAX still fits; one token more, or any larger total, is an error",
            |f| {
                ends_law(f, &[u32::MAX as usize - 1, 1], &[0, u32::MAX - 1, u32::MAX])?;
                for lengths in [&[u32::MAX as usize, 1][..], &[usize::MAX, 2], &[2, usize::MAX]] {
                    let given = remember(format!("lengths: {lengths:?}"));
                    refused(&given, "the total is above u32::MAX", f(lengths, &Device::Cpu))?;
                }
                Ok(())
            },
        )
}

/// Checks the length of the longest sequence: `(batch + 1)`, u32 → a number.
pub fn max_seqlen(answer: impl Fn(&Tensor) -> Result<usize> + 'static) -> Verdict {
    longest_laws().judge(&answer)
}

fn longest_law(f: &MaxSeqlen, cu_seqlens: &[u32], expected: usize) -> Outcome {
    let cu_seqlens = ints(cu_seqlens)?;
    let given = inputs(&[("cu_seqlens", &cu_seqlens)]);
    let got = value(&given, f(&cu_seqlens))?;
    match got == expected {
        true => Ok(()),
        false => Err(Breach::text(&given, &expected.to_string(), &got.to_string())),
    }
}

fn longest_laws() -> Check<MaxSeqlen> {
    Check::new("varlen::max_seqlen", wrong::varlen::max_seqlen())
        .law(Implementation, "0, 3: the only sequence has 3 tokens", |f| longest_law(f, &[0, 3], 3))
        .law(Implementation, "0, 2, 7, 9: lengths 2, 5 and 2, of which 5 is the largest", |f| {
            longest_law(f, &[0, 2, 7, 9], 5)
        })
        .law(Implementation, "the first may be the longest: 0, 5, 7", |f| {
            longest_law(f, &[0, 5, 7], 5)
        })
        .law(Implementation, "the last may be the longest: 0, 2, 5, 9", |f| {
            longest_law(f, &[0, 2, 5, 9], 4)
        })
        .property(
            Implementation,
            "the largest difference of neighbours, for any lengths",
            vec(0..50usize, 1..9),
            |f, lengths| {
                let longest = lengths.iter().fold(0, |max, &n| n.max(max));
                longest_law(f, &ends(&lengths)?.to_vec1()?, longest)
            },
        )
        .law(Edges(why::EMPTY), "no sequence, and only empty ones: 0", |f| {
            longest_law(f, &[0], 0)?;
            longest_law(f, &[0, 0, 0], 0)
        })
        .law(
            Edges(BAD_ENDS),
            "it is an error if cu_seqlens does not begin with 0, or falls, or is not a row of u32",
            |f| bad_ends_refused(f),
        )
}
