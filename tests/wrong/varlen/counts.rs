//! Wrong counts: of what padding costs, of where sequences begin, of the longest one.

use super::{Wrong, checked, ints, lengths, wrong};
use crate::varlen::{CuSeqlens, MaxSeqlen, PaddingWaste};
use candle_core::{DType, Device, Result, Tensor, bail};

/// What is counted of a batch.
struct Counts {
    batch: f64,
    longest: f64,
    tokens: f64,
    pairs: f64,
}

impl Counts {
    fn tokens_wasted(&self) -> f64 {
        1. - self.tokens / (self.batch * self.longest)
    }

    fn pairs_wasted(&self) -> f64 {
        1. - self.pairs / (self.batch * self.longest.powi(2))
    }
}

fn counts(lengths: &[usize]) -> Counts {
    let sum = |power| lengths.iter().map(|&n| (n as f64).powi(power)).sum();
    let longest = lengths.iter().copied().max().unwrap_or(0) as f64;
    Counts { batch: lengths.len() as f64, longest, tokens: sum(1), pairs: sum(2) }
}

/// (0, 0) for no tokens.
fn some(lengths: &[usize], waste: impl Fn(Counts) -> (f64, f64)) -> (f64, f64) {
    let counts = counts(lengths);
    if counts.longest == 0. { (0., 0.) } else { waste(counts) }
}

pub fn padding_waste() -> Vec<Wrong<PaddingWaste>> {
    vec![
        wrong!(
            "share of the real",
            "these are the shares that are real. The waste is the rest, 1 − real / all.",
            |lengths| some(lengths, |c| (1. - c.tokens_wasted(), 1. - c.pairs_wasted()))
        ),
        wrong!(
            "compared with the real",
            "padding is compared with the real tokens, not with all places. That ratio can be above 1; a share cannot. Divide by batch · longest.",
            |lengths| some(lengths, |c| {
                let (tokens, pairs) = (c.batch * c.longest, c.batch * c.longest.powi(2));
                ((tokens - c.tokens) / c.tokens, (pairs - c.pairs) / c.pairs)
            })
        ),
        wrong!("percent", "shares go from 0 to 1 here, not to 100.", |lengths| some(
            lengths,
            |c| (100. * c.tokens_wasted(), 100. * c.pairs_wasted())
        )),
        wrong!(
            "pairs first",
            "the two shares are in the wrong order: tokens first, then pairs.",
            |lengths| some(lengths, |c| (c.pairs_wasted(), c.tokens_wasted()))
        ),
        wrong!(
            "pairs as wasted tokens squared",
            "the second share is the first one squared. A pair is wasted already when one of its two tokens is padding: count the real pairs, the sum of the squared lengths.",
            |lengths| some(lengths, |c| (c.tokens_wasted(), c.tokens_wasted().powi(2)))
        ),
        wrong!(
            "pairs from the mean length",
            "the real pairs are counted as if all sequences had the mean length: (Σ n)² is not batch · Σ n². The square comes before the sum, since long sequences weigh more.",
            |lengths| some(lengths, |c| (c.tokens_wasted(), 1. - (1. - c.tokens_wasted()).powi(2)))
        ),
        wrong!(
            "pairs across sequences",
            "all tokens of the padded batch are paired with all, including those of other sequences. Padded attention computes longest² scores per sequence: batch · longest² in all.",
            |lengths| some(lengths, |c| {
                (c.tokens_wasted(), 1. - c.pairs / (c.batch * c.longest).powi(2))
            })
        ),
        wrong!(
            "pairs of the sum",
            "the number of real tokens is squared, which pairs tokens of different sequences. Square each length first, then sum.",
            |lengths| some(lengths, |c| {
                (c.tokens_wasted(), 1. - c.tokens.powi(2) / (c.batch * c.longest.powi(2)))
            })
        ),
        wrong!(
            "padding with padding",
            "only pairs of padding with padding are counted as waste. A pair of a real token and padding is wasted, too: everything except pairs of two real tokens.",
            |lengths| some(lengths, |c| {
                let both = lengths.iter().map(|&n| (c.longest - n as f64).powi(2));
                (c.tokens_wasted(), both.sum::<f64>() / (c.batch * c.longest.powi(2)))
            })
        ),
        wrong!(
            "causal pairs",
            "only the pairs up to the query's own position are counted as real, n·(n + 1)/2. This is about attention that sees both ways, n².",
            |lengths| some(lengths, |c| {
                let causal = (c.pairs + c.tokens) / 2.;
                (c.tokens_wasted(), 1. - causal / (c.batch * c.longest.powi(2)))
            })
        ),
        wrong!(
            "padded to the last",
            "the batch is padded to its last length instead of its longest, which may be anywhere.",
            |lengths| some(lengths, |c| {
                let last = lengths.last().map_or(0., |&n| n as f64).max(1.);
                (1. - c.tokens / (c.batch * last), 1. - c.pairs / (c.batch * last.powi(2)))
            })
        ),
        wrong!(
            "empty sequences left out",
            "empty sequences are left out. They are padded to the longest like all others, and all of their row is waste.",
            |lengths| some(lengths, |c| {
                let batch = lengths.iter().filter(|&&n| n > 0).count() as f64;
                let c = Counts { batch, ..c };
                (c.tokens_wasted(), c.pairs_wasted())
            })
        ),
        wrong!(
            "whole numbers divided",
            "this is a division of whole numbers, which gives 0 or 1. Convert both to f64 first.",
            |lengths| some(lengths, |c| (c.tokens_wasted().floor(), c.pairs_wasted().floor()))
        ),
        wrong!(
            "rounded to f32",
            "the shares are computed in f32, with half the digits of an f64.",
            |lengths| some(lengths, |c| {
                (f64::from(c.tokens_wasted() as f32), f64::from(c.pairs_wasted() as f32))
            })
        ),
        wrong!(
            "0 / 0",
            "without tokens this is 0 / 0, which is NaN. Such a batch wastes nothing.",
            |lengths| {
                let c = counts(lengths);
                (c.tokens_wasted(), c.pairs_wasted())
            }
        ),
        wrong!(
            "0 / 0 for empty sequences",
            "a batch without sequences is handled, but one of empty sequences is not: its longest length is 0, and 0 / 0 is NaN. Check the longest length, not the number of sequences.",
            |lengths| {
                let c = counts(lengths);
                match lengths.is_empty() {
                    true => (0., 0.),
                    false => (c.tokens_wasted(), c.pairs_wasted()),
                }
            }
        ),
        wrong!(
            "no maximum",
            "`unwrap()` is called on the maximum of no lengths. A batch may have no sequences.",
            |lengths| {
                lengths.iter().max().unwrap();
                some(lengths, |c| (c.tokens_wasted(), c.pairs_wasted()))
            }
        ),
        wrong!(
            "squares overflow",
            "the squares are computed in usize, which cannot hold those of lengths from 2³² on. Convert lengths to f64 before you square them.",
            |lengths| {
                lengths.iter().map(|n| n * n).sum::<usize>();
                some(lengths, |c| (c.tokens_wasted(), c.pairs_wasted()))
            }
        ),
    ]
}

/// 0 and where each sequence ends, if all fit u32.
fn ends(lengths: &[usize]) -> Result<Vec<u32>> {
    let (mut ends, mut total) = (vec![0u32], 0usize);
    for &length in lengths {
        total = total.saturating_add(length);
        match u32::try_from(total) {
            Ok(end) => ends.push(end),
            Err(_) => bail!("too many tokens"),
        }
    }
    Ok(ends)
}

pub fn cu_seqlens() -> Vec<Wrong<CuSeqlens>> {
    vec![
        wrong!(
            "no leading 0",
            "the 0 at the start is missing: the first sequence needs a beginning as well. There are always `batch + 1` numbers.",
            |lengths, _| ints(ends(lengths)?[1..].to_vec())
        ),
        wrong!(
            "no last end",
            "these are only the beginnings. The end of the last sequence is missing, so its length is unknown. There are always `batch + 1` numbers.",
            |lengths, _| {
                let ends = ends(lengths)?;
                ints(ends[..lengths.len().max(1)].to_vec())
            }
        ),
        wrong!(
            "not summed",
            "these are the lengths, with a 0 in front. Each number is the sum of all lengths before: a cumulative sum.",
            |lengths, _| {
                ends(lengths)?;
                ints([0].into_iter().chain(lengths.iter().map(|&n| n as u32)).collect())
            }
        ),
        wrong!(
            "the lengths",
            "these are the lengths themselves: add them up, starting from 0.",
            |lengths, _| {
                ends(lengths)?;
                ints(lengths.iter().map(|&n| n as u32).collect())
            }
        ),
        wrong!(
            "last tokens",
            "these are the places of the last tokens. An end is the place after the last token, as in a Rust range: 0..2 has the tokens 0 and 1.",
            |lengths, _| {
                let ends = ends(lengths)?;
                ints(
                    ends.iter()
                        .enumerate()
                        .map(|(at, &end)| if at == 0 { 0 } else { end.saturating_sub(1) })
                        .collect(),
                )
            }
        ),
        wrong!("from 1", "tokens are counted from 1: the first one is number 0.", |lengths, _| {
            ints(ends(lengths)?.into_iter().map(|end| end.saturating_add(1)).collect())
        }),
        wrong!(
            "padded beginnings",
            "these are the beginnings in a padded batch, multiples of the longest length: in a packed one, each sequence begins where the one before ends.",
            |lengths, _| {
                ends(lengths)?;
                let longest = lengths.iter().copied().max().unwrap_or(0);
                ints((0..=lengths.len()).map(|at| (at * longest) as u32).collect())
            }
        ),
        wrong!(
            "two numbers behind",
            "each number is the sum of only the last two lengths: keep a running total.",
            |lengths, _| {
                ends(lengths)?;
                let before = |at: usize| if at == 0 { 0 } else { lengths[at - 1] };
                let sums = (0..lengths.len()).map(|at| (before(at) + lengths[at]) as u32);
                ints([0].into_iter().chain(sums).collect())
            }
        ),
        wrong!(
            "sorted",
            "the lengths were sorted. Sequences keep the order in which they came.",
            |lengths, _| {
                let mut lengths = lengths.to_vec();
                lengths.sort_unstable_by(|a, b| b.cmp(a));
                ints(ends(&lengths)?)
            }
        ),
        wrong!(
            "empty sequences left out",
            "empty sequences are left out: they begin and end at the same place, and keep their number.",
            |lengths, _| {
                let lengths: Vec<usize> = lengths.iter().copied().filter(|&n| n > 0).collect();
                ints(ends(&lengths)?)
            }
        ),
        wrong!(
            "i64",
            "the numbers are i64, PyTorch's own choice: the kernels here and in candle-flash-attn want u32.",
            |lengths, _| ints(ends(lengths)?)?.to_dtype(DType::I64)
        ),
        wrong!(
            "f32",
            "the numbers are f32, perhaps from candle's `cumsum`: above 2²⁴ they are no longer exact. They are u32.",
            |lengths, _| ints(ends(lengths)?)?.to_dtype(DType::F32)
        ),
        wrong!(
            "cumsum of u32",
            "candle's `cumsum` uses a matrix product, which does not exist for u32, and it adds no leading 0. Add up the lengths in a loop before you make a tensor.",
            |lengths, device| {
                let lengths: Vec<u32> = lengths.iter().map(|&n| n as u32).collect();
                Tensor::new(lengths, device)?.cumsum(0)
            }
        ),
        wrong!(
            "summed in f32",
            "the ends are summed in f32, perhaps by candle's `cumsum`. Above 2²⁴, f32 cannot hold every whole number. Sum in usize.",
            |lengths, device| {
                let lengths: Vec<f32> = lengths.iter().map(|&n| n as f32).collect();
                let ends = match lengths.is_empty() {
                    true => return ints(vec![0]),
                    false => Tensor::new(lengths, device)?.cumsum(0)?.to_dtype(DType::U32)?,
                };
                Tensor::cat(&[&Tensor::zeros(1, DType::U32, device)?, &ends], 0)
            }
        ),
        wrong!(
            "a row of a matrix",
            "the numbers form a matrix with one row. They should have one dimension.",
            |lengths, _| ints(ends(lengths)?)?.unsqueeze(0)
        ),
        wrong!(
            "wraps around",
            "`as u32` drops what does not fit, and the ends start again at 0: use `u32::try_from`, and return an error.",
            |lengths, _| {
                let mut total = 0usize;
                let ends = lengths.iter().map(|&n| {
                    total = total.wrapping_add(n);
                    total as u32
                });
                ints([0].into_iter().chain(ends).collect())
            }
        ),
        wrong!(
            "overflows",
            "the sum overflows, which is a panic: too many tokens are an error. Sum in usize with `checked_add` or `saturating_add`, then `u32::try_from`.",
            |lengths, _| {
                let mut total = 0u32;
                let ends = lengths.iter().map(|&n| {
                    total += n as u32;
                    total
                });
                ints([0].into_iter().chain(ends).collect())
            }
        ),
        wrong!(
            "the running total overflows",
            "each end is checked, but the running total itself can overflow a usize, which is a panic in a debug build and a small total in a release build. `checked_add` or `saturating_add` notice it.",
            |lengths, _| {
                let (mut total, mut ends) = (0usize, vec![0u32]);
                for length in lengths {
                    total += length;
                    match u32::try_from(total) {
                        Ok(end) => ends.push(end),
                        Err(_) => bail!("too many tokens"),
                    }
                }
                ints(ends)
            }
        ),
        wrong!(
            "no sequences refused",
            "a batch without sequences is refused. Its `cu_seqlens` is a single 0.",
            |lengths, _| {
                if lengths.is_empty() {
                    bail!("no sequences");
                }
                ints(ends(lengths)?)
            }
        ),
        wrong!(
            "no sequences, no 0",
            "a batch without sequences gives no numbers, but the 0 should remain. There are always `batch + 1` numbers.",
            |lengths, _| if lengths.is_empty() { ints(vec![]) } else { ints(ends(lengths)?) }
        ),
    ]
}

pub fn max_seqlen() -> Vec<Wrong<MaxSeqlen>> {
    fn longest(cu_seqlens: &Tensor, of: impl Fn(&[usize]) -> usize) -> Result<usize> {
        Ok(of(&lengths(&checked(cu_seqlens)?)))
    }
    fn max(lengths: &[usize]) -> usize {
        lengths.iter().copied().max().unwrap_or(0)
    }
    vec![
        wrong!(
            "the last end",
            "this is the largest end, which is the number of all tokens. The length of a sequence is its end minus its beginning.",
            |cu| longest(cu, |lengths| lengths.iter().sum())
        ),
        wrong!(
            "the last length",
            "this is the length of the last sequence: any may be the longest.",
            |cu| longest(cu, |lengths| lengths.last().copied().unwrap_or(0))
        ),
        wrong!(
            "the first length",
            "this is the length of the first sequence: any may be the longest.",
            |cu| longest(cu, |lengths| lengths.first().copied().unwrap_or(0))
        ),
        wrong!("the shortest", "this is the length of the shortest sequence.", |cu| longest(
            cu,
            |lengths| lengths.iter().copied().min().unwrap_or(0)
        )),
        wrong!("the mean", "this is the mean length: the longest sequence is asked for.", |cu| {
            longest(cu, |lengths| lengths.iter().sum::<usize>() / lengths.len().max(1))
        }),
        wrong!("how many sequences", "this is the number of sequences.", |cu| longest(
            cu,
            |lengths| lengths.len()
        )),
        wrong!("which one", "this says which sequence is the longest, not how long it is.", |cu| {
            longest(cu, |lengths| {
                lengths.iter().position(|&length| length == max(lengths)).unwrap_or(0)
            })
        }),
        wrong!(
            "the last token's position",
            "this is the last position in the longest sequence, one less than its length. Ends are exclusive, so end − beginning is the length.",
            |cu| longest(cu, |lengths| max(lengths).saturating_sub(1))
        ),
        wrong!(
            "one more",
            "this is one more than the length. Ends are exclusive, so end − beginning is the length.",
            |cu| longest(cu, |lengths| max(lengths) + usize::from(max(lengths) > 0))
        ),
        wrong!(
            "the first sequence skipped",
            "the first sequence is left out, perhaps together with the leading 0, where it begins.",
            |cu| longest(cu, |lengths| max(lengths.get(1..).unwrap_or(&[])))
        ),
        wrong!(
            "the last sequence skipped",
            "the last sequence is left out: with `batch + 1` numbers there are `batch` pairs of neighbours.",
            |cu| longest(cu, |lengths| max(&lengths[..lengths.len().saturating_sub(1)]))
        ),
        wrong!(
            "no maximum",
            "`unwrap()` is called on the maximum of no lengths. A lone 0 is a batch without sequences, and its longest length is 0.",
            |cu| longest(cu, |lengths| *lengths.iter().max().unwrap())
        ),
        wrong!(
            "tensors subtracted",
            "the ends are subtracted as tensors. A lone 0 leaves no length to take the maximum of (candle says \"empty tensor for reduce\"), and ends that fall go unnoticed. Read them with `to_vec1::<u32>` and check them first.",
            |cu| {
                let sequences = cu.dim(0)? - 1;
                let lengths = (cu.narrow(0, 1, sequences)? - cu.narrow(0, 0, sequences)?)?;
                Ok(lengths.max(0)?.to_scalar::<u32>()? as usize)
            }
        ),
        wrong!(
            "falling ends subtracted",
            "ends that fall are subtracted before they are checked, and a u32 below 0 is a panic: check first, and return an error.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                if ends.first() != Some(&0) {
                    bail!("expected a 0");
                }
                Ok(ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0) as usize)
            }
        ),
        wrong!(
            "falling ends accepted",
            "ends that fall pass for a length, or for none: no sequence ends before it begins. Check first, and return an error.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                if ends.first() != Some(&0) {
                    bail!("expected a 0");
                }
                let length = |pair: &[u32]| pair[1].saturating_sub(pair[0]) as usize;
                Ok(ends.windows(2).map(length).max().unwrap_or(0))
            }
        ),
        wrong!(
            "the first number not looked at",
            "a row that does not begin with 0 is accepted, and the first tokens would belong to no sequence. Usually someone forgot the leading 0, and an error tells them.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                if ends.is_empty() || !ends.is_sorted() {
                    bail!("expected ends that never fall");
                }
                Ok(max(&lengths(&ends)))
            }
        ),
        wrong!(
            "an empty row accepted",
            "a row without numbers is taken for a batch without sequences, but that would be a lone 0. There are always `batch + 1` numbers.",
            |cu| match cu.dims() {
                [0] => Ok(0),
                _ => longest(cu, max),
            }
        ),
        wrong!(
            "the first number unwrapped",
            "a row without numbers makes it panic: `ends[0]` is not there. Use `first()`, and return an error.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                if ends[0] != 0 || !ends.is_sorted() {
                    bail!("expected 0 and ends that never fall");
                }
                Ok(max(&lengths(&ends)))
            }
        ),
        wrong!(
            "any type accepted",
            "numbers of another type are converted to u32. The kernel would refuse PyTorch's i64 later, so refuse it here (`to_vec1::<u32>` does).",
            |cu| longest(&cu.to_dtype(DType::U32)?.to_device(&Device::Cpu)?, max)
        ),
        wrong!(
            "any shape accepted",
            "a matrix is read as one row. `cu_seqlens` has one dimension; anything else is an error.",
            |cu| longest(&cu.flatten_all()?, max)
        ),
    ]
}
