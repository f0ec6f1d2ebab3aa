//! What cumulative lengths on a GPU must hold.

use super::card::{agrees, flash_attn_varlen, halves, on_card, reference};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gpu, Implementation},
        Outcome,
        compare::{exactly, refused, same, value},
        show::remember,
        why,
    },
    wrong,
};
use candle_core::{Device, Result, Tensor};
use proptest::collection::vec;

/// `check_seqlens`.
pub type CheckSeqlens = dyn Fn(&[u32], usize, usize) -> Result<()>;
/// `gpu_seqlens`.
pub type GpuSeqlens = dyn Fn(&[usize], &Device) -> Result<(Tensor, usize)>;

/// The most tokens that an i32 counts.
const MOST: u32 = i32::MAX as u32;

/// Why a batch needs a sequence.
const NONE: &str = "a kernel is launched with as many blocks as there are sequences, and CUDA refuses a launch of none.";
/// Why i32 is the limit.
const SIGNED: &str = "the kernel reads the 32 bits of a u32 as an i32: from 2³¹ on they are a negative number, and an address before the tensor.";

pub(super) fn zoo() -> Vec<Proof> {
    [check_seqlens_laws().proofs(), gpu_seqlens_laws().proofs()].into_iter().flatten().collect()
}

/// Where sequences of these lengths begin, and where the last one ends.
fn ends(lengths: &[usize]) -> Vec<u32> {
    (0..=lengths.len()).map(|n| lengths[..n].iter().sum::<usize>() as u32).collect()
}

fn longest(lengths: &[usize]) -> usize {
    lengths.iter().fold(0, |max, &length| max.max(length))
}

/// Checks that bad cumulative lengths are refused.
pub fn check_seqlens(answer: impl Fn(&[u32], usize, usize) -> Result<()> + 'static) -> Verdict {
    check_seqlens_laws().judge(&answer)
}

fn check_given(cu_seqlens: &[u32], total: usize, max_seqlen: usize) -> String {
    remember(format!("cu_seqlens: {cu_seqlens:?}\ntotal: {total}\nmax_seqlen: {max_seqlen}"))
}

/// The law that these fit.
fn accepted(f: &CheckSeqlens, cu_seqlens: &[u32], total: usize, max_seqlen: usize) -> Outcome {
    let given = check_given(cu_seqlens, total, max_seqlen);
    // What the error says is the answer's own: wrong answers are told apart by what they refuse.
    f(cu_seqlens, total, max_seqlen)
        .map_err(|_| Breach::text(&given, "Ok(()): they fit", "an error"))
}

/// The law that these don't.
fn bad(
    f: &CheckSeqlens,
    why: &str,
    (cu_seqlens, total, max_seqlen): (&[u32], usize, usize),
) -> Outcome {
    let given = check_given(cu_seqlens, total, max_seqlen);
    match f(cu_seqlens, total, max_seqlen) {
        Err(_) => Ok(()),
        Ok(()) => Err(Breach::text(&given, &format!("an error: {why}"), "Ok(())")),
    }
}

fn check_seqlens_laws() -> Check<CheckSeqlens> {
    Check::new("gpu::check_seqlens", wrong::gpu::check_seqlens())
        .law(Implementation, "one sequence of 3 tokens fits: 0, 3", |f| accepted(f, &[0, 3], 3, 3))
        .law(Implementation, "lengths 2 and 3 fit: 0, 2, 5, with 5 tokens, the longest 3", |f| {
            accepted(f, &[0, 2, 5], 5, 3)
        })
        .law(Implementation, "an end after the last token is an error: the kernel would read on", |f| {
            bad(f, "there are only 4 tokens", (&[0, 2, 5], 4, 3))
        })
        .law(
            Implementation,
            "an end before the last token is an error: the rest would be left out silently",
            |f| bad(f, "there are 6 tokens", (&[0, 2, 5], 6, 3)),
        )
        .law(Implementation, "a beginning above 0 is an error: the first tokens are in no sequence", |f| {
            bad(f, "the first sequence begins at 0", (&[1, 3], 3, 3))
        })
        .law(Implementation, "plain lengths are an error: they are not cumulative", |f| {
            bad(f, "lengths, not where sequences begin and end", (&[2, 3], 5, 3))?;
            bad(f, "lengths, not where sequences begin and end", (&[3, 2, 5], 10, 5))
        })
        .law(Implementation, "an end that falls is an error: the sequence would end before it begins", |f| {
            bad(f, "5 is followed by 3", (&[0, 5, 3], 3, 5))
        })
        .law(Implementation, "an end that falls is an error also in the middle", |f| {
            bad(f, "3 is followed by 2", (&[0, 3, 2, 5], 5, 5))
        })
        .law(
            Implementation,
            "a sequence longer than max_seqlen is an error: its last tokens would not be computed",
            |f| bad(f, "the last sequence has 4 tokens", (&[0, 1, 2, 6], 6, 3)),
        )
        .law(Implementation, "the longest sequence may stand anywhere", |f| {
            bad(f, "the first sequence has 4 tokens", (&[0, 4, 5, 6], 6, 3))?;
            bad(f, "the second sequence has 4 tokens", (&[0, 1, 5, 6], 6, 3))
        })
        .law(Implementation, "max_seqlen may be larger than the longest sequence", |f| {
            accepted(f, &[0, 2, 5], 5, 4)?;
            accepted(f, &[0, 2, 5], 5, 512)
        })
        .law(Implementation, "empty sequences fit: first, in between, last, and alone", |f| {
            for ends in [[0, 0, 2, 5], [0, 2, 2, 5], [0, 2, 5, 5]] {
                accepted(f, &ends, 5, 3)?;
            }
            accepted(f, &[0, 0], 0, 0)
        })
        .property(
            Implementation,
            "the ends of any lengths fit, with their sum and their largest; with a larger total they don't",
            (vec(0..50usize, 1..9), 1..100usize),
            |f, (lengths, more)| {
                let (ends, total, longest) = (ends(&lengths), lengths.iter().sum(), longest(&lengths));
                accepted(f, &ends, total, longest)?;
                bad(f, "the end is not the total", (&ends, total + more, longest))
            },
        )
        .law(Edges(NONE), "no sequence is an error: neither nothing at all, nor a lone 0", |f| {
            bad(f, "expected at least one sequence", (&[], 0, 0))?;
            bad(f, "expected at least one sequence", (&[0], 0, 0))
        })
        .law(Edges(SIGNED), "2³¹ − 1 tokens fit; one more is an error: the kernel reads an i32", |f| {
            accepted(f, &[0, MOST], MOST as usize, MOST as usize)?;
            for end in [MOST + 1, u32::MAX] {
                let total = end as usize;
                bad(f, "the end is above i32::MAX", (&[0, end], total, total))?;
            }
            Ok(())
        })
        .law(Edges("`as u32` drops what is above 2³² silently, and a wrong total then looks right."), "a total or a max_seqlen above 2³² stays what it is", |f| {
            bad(f, "the end is not the total", (&[0, 5], (1 << 32) + 5, 5))?;
            accepted(f, &[0, 5], 5, 1 << 32)
        })
}

/// Checks cumulative lengths as the kernel wants them.
pub fn gpu_seqlens(
    answer: impl Fn(&[usize], &Device) -> Result<(Tensor, usize)> + 'static,
) -> Verdict {
    gpu_seqlens_laws().judge(&answer)
}

/// The law that both parts are right.
fn seqlens_law(f: &GpuSeqlens, lengths: &[usize]) -> Outcome {
    seqlens_on(&Device::Cpu, f, lengths).map(drop)
}

/// Both parts, once they are known to be right.
fn seqlens_on(
    device: &Device,
    f: &GpuSeqlens,
    lengths: &[usize],
) -> std::result::Result<(Tensor, usize), Breach> {
    let given = remember(format!("lengths: {lengths:?}"));
    let (cu_seqlens, max) = value(&given, f(lengths, device))?;
    let part = |name: &str| format!("{given}\nlooked at: {name}");
    let expected = Tensor::new(ends(lengths), &Device::Cpu)?;
    same(&part("cu_seqlens"), cu_seqlens.to_device(&Device::Cpu), &expected, exactly())?;
    match (longest(lengths), max) {
        (expected, got) if expected == got => Ok((cu_seqlens, max)),
        (expected, got) => {
            Err(Breach::text(&part("max_seqlen"), &expected.to_string(), &got.to_string()))
        }
    }
}

fn gpu_seqlens_laws() -> Check<GpuSeqlens> {
    Check::new("gpu::gpu_seqlens", wrong::gpu::gpu_seqlens())
        .law(
            Implementation,
            "one sequence of 3 tokens: it begins at 0 and ends at 3, in u32, and the longest is 3",
            |f| seqlens_law(f, &[3]),
        )
        .law(Implementation, "lengths 2, 4, 3: 0, 2, 6, 9, and the longest is 4", |f| {
            seqlens_law(f, &[2, 4, 3])
        })
        .law(Implementation, "the sequences keep their order: 4, 1, 3 give 0, 4, 5, 8", |f| {
            seqlens_law(f, &[4, 1, 3])
        })
        .law(Implementation, "the last may be the longest: 1, 2, 5", |f| seqlens_law(f, &[1, 2, 5]))
        .law(Implementation, "an empty sequence ends where it begins: 2, 0, 3 give 0, 2, 2, 5", |f| {
            seqlens_law(f, &[2, 0, 3])
        })
        .property(
            Implementation,
            "one number more than sequences, neighbours differ by the lengths; and the largest length",
            vec(0..50usize, 1..9),
            |f, lengths| seqlens_law(f, &lengths),
        )
        .law(Edges(why::EMPTY), "only empty sequences: zeros, and the longest has length 0", |f| {
            seqlens_law(f, &[0])?;
            seqlens_law(f, &[0, 0])
        })
        .law(Edges(NONE), "no sequence is an error: the kernel wants at least one", |f| {
            let given = remember("lengths: []");
            refused(&given, "expected at least one sequence", f(&[], &Device::Cpu))
        })
        .law(Edges(SIGNED), "2³¹ − 1 tokens in all fit; one more is an error: the kernel reads an i32", |f| {
            let most = MOST as usize;
            seqlens_law(f, &[most - 2, 2])?;
            let given = remember(format!("lengths: {:?}", [most, 1]));
            refused(&given, "the total is above i32::MAX", f(&[most, 1], &Device::Cpu))
        })
        .law(Edges("`as u32` drops what is above 2³² silently, and a sum of usize can overflow, too."), "a total above 2³², and one that no usize holds, are errors, too", |f| {
            let most = MOST as usize;
            for lengths in [&[1 << 32, 5][..], &[most; 3], &[usize::MAX, 2], &[2, usize::MAX]] {
                let given = remember(format!("lengths: {lengths:?}"));
                refused(&given, "the total is above i32::MAX", f(lengths, &Device::Cpu))?;
            }
            Ok(())
        })
        .law(Gpu, "candle-flash-attn, told these lengths, keeps the sequences apart", |f| {
            on_card(|card| {
                let lengths = [3, 0, 5, 1];
                let (ends, max) = seqlens_on(card, f, &lengths)?; // before a kernel trusts them
                let given = remember(format!("lengths: {lengths:?}, on the card"));
                let shape = [9, 2, 16]; // (total, heads, head_dim)
                let [q, k, v] = [halves(1, &shape)?, halves(2, &shape)?, halves(3, &shape)?];
                let there = |x: &Tensor| x.to_device(card);
                let (a, b, c) = (there(&q)?, there(&k)?, there(&v)?);
                let out = flash_attn_varlen(&a, &b, &c, &ends, &ends, max, max, 0.25, true);
                let alone = |(from, length)| -> Result<Tensor> {
                    let heads = |x: &Tensor| x.narrow(0, from, length)?.transpose(0, 1);
                    reference([&heads(&q)?, &heads(&k)?, &heads(&v)?], 0.25, true)?.transpose(0, 1)
                };
                let expected = [(0, 3), (3, 5), (8, 1)].map(alone).into_iter();
                agrees(&given, out, &Tensor::cat(&expected.collect::<Result<Vec<_>>>()?, 0)?)
            })
        })
}
