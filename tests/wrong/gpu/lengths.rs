//! Wrong checks of cumulative lengths, and wrong cumulative lengths.

use super::{Wrong, wrong};
use crate::gpu::{CheckSeqlens, GpuSeqlens};
use candle_core::{DType, Device, Result, Tensor, bail};

/// What may be wrong with cumulative lengths.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Begin,
    Falls,
    Short,
    Behind,
    Limit,
    Longest,
    None,
    Lone,
}

const MOST: usize = i32::MAX as usize;

/// All that is wrong.
fn faults(cu: &[u32], total: usize, max: usize) -> Vec<Fault> {
    let end = cu.last().map_or(0, |&end| end as usize);
    let longest = cu.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0);
    let found = [
        (Fault::None, cu.is_empty()),
        (Fault::Lone, cu.len() == 1),
        (Fault::Begin, cu.first().is_some_and(|&begin| begin != 0)),
        (Fault::Falls, !cu.is_sorted()),
        (Fault::Short, end < total),
        (Fault::Behind, end > total),
        (Fault::Limit, end > MOST),
        (Fault::Longest, longest as usize > max),
    ];
    found.into_iter().filter(|(_, wrong)| *wrong).map(|(fault, _)| fault).collect()
}

/// An error for each fault but those `unseen`.
fn all_but(unseen: &[Fault], cu: &[u32], total: usize, max: usize) -> Result<()> {
    match faults(cu, total, max).iter().any(|fault| !unseen.contains(fault)) {
        true => bail!("cu_seqlens do not fit"),
        false => Ok(()),
    }
}

/// The lengths between neighbours.
fn lengths(cu: &[u32]) -> Vec<usize> {
    cu.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as usize).collect()
}

pub fn check_seqlens() -> Vec<Wrong<CheckSeqlens>> {
    vec![
        wrong!(
            "nothing looked at",
            "everything is accepted: the kernel trusts these numbers, and reads and writes where they say.",
            |_, _, _| Ok(())
        ),
        wrong!(
            "everything refused",
            "all cumulative lengths are refused, even those that fit. If nothing was wrong, return `Ok(())` at the end.",
            |_, _, _| bail!("no")
        ),
        wrong!(
            "the beginning not looked at",
            "a beginning above 0 is accepted. The tokens before it would belong to no sequence, and nothing would be computed for them.",
            |cu, total, max| all_but(&[Fault::Begin], cu, total, max)
        ),
        wrong!(
            "falling ends accepted",
            "ends that fall are accepted. That sequence would have a length below 0, which the kernel cannot handle. Compare all neighbours.",
            |cu, total, max| all_but(&[Fault::Falls], cu, total, max)
        ),
        wrong!(
            "falling ends subtracted",
            "ends that fall are subtracted before they are checked, and a u32 below 0 is a panic: check first, and return an error.",
            |cu, total, max| {
                all_but(&[Fault::Falls, Fault::Longest], cu, total, max)?;
                let longest = cu.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
                if longest as usize > max { bail!("longer than max_seqlen") } else { Ok(()) }
            }
        ),
        wrong!(
            "only the last two compared",
            "only the last two ends are compared, but any of them may fall. `windows(2)` gives all pairs of neighbours.",
            |cu, total, max| match cu {
                [.., before, end] if before > end => bail!("falls"),
                _ => all_but(&[Fault::Falls], cu, total, max),
            }
        ),
        wrong!(
            "an end below the total accepted",
            "an end before the last token is accepted. The outputs of the tokens after it would never be written. The end must be the total.",
            |cu, total, max| all_but(&[Fault::Short], cu, total, max)
        ),
        wrong!(
            "an end above the total accepted",
            "an end after the last token is accepted. The kernel would read and write memory that belongs to others. The end must be the total.",
            |cu, total, max| all_but(&[Fault::Behind], cu, total, max)
        ),
        wrong!(
            "the end not looked at",
            "the last end is not compared with the total. Above it, the kernel reads what is not there; below it, tokens are left out.",
            |cu, total, max| all_but(&[Fault::Short, Fault::Behind], cu, total, max)
        ),
        wrong!(
            "no empty sequences",
            "an empty sequence is refused. Its end is its beginning, and the kernel has nothing to do there. Ends may be equal; they must not fall.",
            |cu, total, max| {
                all_but(&[], cu, total, max)?;
                match lengths(cu).contains(&0) {
                    true => bail!("empty sequence"),
                    false => Ok(()),
                }
            }
        ),
        wrong!(
            "max_seqlen must be exact",
            "a max_seqlen above the longest sequence is refused: it is an upper bound, and a larger one only costs time.",
            |cu, total, max| {
                all_but(&[], cu, total, max)?;
                match lengths(cu).contains(&max) {
                    true => Ok(()),
                    false => bail!("max_seqlen is not the longest"),
                }
            }
        ),
        wrong!(
            "max_seqlen not looked at",
            "a sequence longer than max_seqlen is accepted. The kernel starts as many blocks as max_seqlen needs, and the tokens after them get no output.",
            |cu, total, max| all_but(&[Fault::Longest], cu, total, max)
        ),
        wrong!(
            "max_seqlen below, not at most",
            "a sequence exactly as long as max_seqlen is refused, but the bound is included.",
            |cu, total, max| {
                all_but(&[], cu, total, max)?;
                match max > 0 && lengths(cu).contains(&max) {
                    true => bail!("not below max_seqlen"),
                    false => Ok(()),
                }
            }
        ),
        wrong!(
            "the total compared with max_seqlen",
            "the total is compared with max_seqlen, but it bounds each single sequence, the difference between two neighbours.",
            |cu, total, max| {
                all_but(&[], cu, total, max)?;
                match total > max {
                    true => bail!("longer than max_seqlen"),
                    false => Ok(()),
                }
            }
        ),
        wrong!(
            "only the first sequence's length",
            "only the first sequence is compared with max_seqlen: any may be the longest.",
            |cu, total, max| match lengths(cu).first() {
                Some(&first) if first > max => bail!("too long"),
                _ => all_but(&[Fault::Longest], cu, total, max),
            }
        ),
        wrong!(
            "only the last sequence's length",
            "only the last sequence is compared with max_seqlen: any may be the longest.",
            |cu, total, max| match lengths(cu).last() {
                Some(&last) if last > max => bail!("too long"),
                _ => all_but(&[Fault::Longest], cu, total, max),
            }
        ),
        wrong!(
            "plain lengths taken",
            "plain lengths are expected here. The kernel wants cumulative ones: where each sequence begins, and where the last one ends.",
            |cu, total, max| {
                let sum: usize = cu.iter().map(|&length| length as usize).sum();
                let fit = !cu.is_empty() && sum == total && sum <= MOST;
                match fit && cu.iter().all(|&length| length as usize <= max) {
                    true => Ok(()),
                    false => bail!("the lengths do not fit"),
                }
            }
        ),
        wrong!(
            "plain lengths accepted as well",
            "plain lengths whose sum is the total pass as well. The kernel would read them as borders. Only what begins with 0 and ends with the total fits.",
            |cu, total, max| {
                let sum: usize = cu.iter().map(|&length| length as usize).sum();
                let plain = cu.first().is_some_and(|&first| first > 1) && sum == total;
                if plain { Ok(()) } else { all_but(&[], cu, total, max) }
            }
        ),
        wrong!(
            "differences before the order is known",
            "the lengths are computed before it is known that the ends never fall, and a u32 below 0 is a panic. Look at the order first.",
            |cu, total, max| {
                let longest = cu.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
                match longest as usize > max {
                    true => bail!("too long"),
                    false => all_but(&[], cu, total, max),
                }
            }
        ),
        wrong!(
            "no sequence accepted",
            "a lone 0 and an empty slice are accepted, but neither holds a sequence. The kernel wants at least one: two numbers.",
            |cu, total, max| all_but(&[Fault::None, Fault::Lone], cu, total, max)
        ),
        wrong!(
            "a lone 0 accepted",
            "a lone 0 is accepted, but it holds no sequence. The kernel wants at least one: two numbers.",
            |cu, total, max| all_but(&[Fault::Lone], cu, total, max)
        ),
        wrong!(
            "the first number unwrapped",
            "an empty slice makes it panic: `cu_seqlens[0]` does not exist. Use `first()`, and return an error.",
            |cu, total, max| {
                if cu[0] != 0 {
                    bail!("expected a 0");
                }
                all_but(&[], cu, total, max)
            }
        ),
        wrong!(
            "the longest unwrapped",
            "`unwrap()` is called on the maximum of no lengths. A lone 0 is an error, not a panic.",
            |cu, total, max| {
                if cu.is_empty() {
                    bail!("no sequences");
                }
                all_but(&[Fault::Longest, Fault::Lone], cu, total, max)?;
                match *lengths(cu).iter().max().unwrap() > max {
                    true => bail!("too long"),
                    false => Ok(()),
                }
            }
        ),
        wrong!(
            "no limit",
            "ends above i32::MAX are accepted: the kernel reads these numbers as i32, and 2³¹ would be below 0.",
            |cu, total, max| all_but(&[Fault::Limit], cu, total, max)
        ),
        wrong!(
            "one token less",
            "i32::MAX tokens are refused, but that number still fits into an i32.",
            |cu, total, max| {
                all_but(&[], cu, total, max)?;
                if total >= MOST { bail!("too many") } else { Ok(()) }
            }
        ),
        wrong!(
            "the total cut to 32 bits",
            "the total is cut to a u32 with `as`, which silently drops what is above 2³². Convert the u32 to a usize instead.",
            |cu, total, max| all_but(&[], cu, total as u32 as usize, max)
        ),
        wrong!(
            "max_seqlen cut to 32 bits",
            "max_seqlen is cut to a u32 with `as`, which silently drops what is above 2³². Convert the u32 to a usize instead.",
            |cu, total, max| all_but(&[], cu, total, max as u32 as usize)
        ),
    ]
}

/// The right ends and the right longest.
fn right(lengths: &[usize], device: &Device) -> Result<(Tensor, usize)> {
    checked(lengths)?;
    Ok((Tensor::new(ends(lengths), device)?, longest(lengths)))
}

fn checked(lengths: &[usize]) -> Result<()> {
    let total = lengths.iter().fold(0usize, |sum, length| sum.saturating_add(*length));
    if lengths.is_empty() || total > MOST { bail!("lengths do not fit") } else { Ok(()) }
}

fn ends(lengths: &[usize]) -> Vec<u32> {
    (0..=lengths.len())
        .map(|n| lengths[..n].iter().fold(0u32, |sum, &length| sum.wrapping_add(length as u32)))
        .collect()
}

fn longest(lengths: &[usize]) -> usize {
    lengths.iter().copied().max().unwrap_or(0)
}

/// Other ends, the right longest.
fn with_ends(
    lengths: &[usize],
    device: &Device,
    ends: impl Fn(Vec<u32>) -> Vec<u32>,
) -> Result<(Tensor, usize)> {
    let (cu, max) = right(lengths, device)?;
    Ok((Tensor::new(ends(cu.to_vec1()?), device)?, max))
}

/// The right ends, another longest.
fn with_max(
    lengths: &[usize],
    device: &Device,
    max: impl Fn(&[usize]) -> usize,
) -> Result<(Tensor, usize)> {
    Ok((right(lengths, device)?.0, max(lengths)))
}

pub fn gpu_seqlens() -> Vec<Wrong<GpuSeqlens>> {
    vec![
        wrong!(
            "plain lengths",
            "these are the lengths themselves. The kernel wants to know where each sequence begins and where the last one ends: one number more.",
            |lengths, device| with_ends(lengths, device, |cu| cu
                .windows(2)
                .map(|pair| pair[1] - pair[0])
                .collect())
        ),
        wrong!(
            "a 0 before plain lengths",
            "this is a 0 and then the lengths themselves: add them up as you go.",
            |lengths, device| with_ends(lengths, device, |cu| {
                let lengths = cu.windows(2).map(|pair| pair[1] - pair[0]);
                [0].into_iter().chain(lengths).collect()
            })
        ),
        wrong!(
            "the 0 missing",
            "the leading 0 is missing: the kernel would take the first end for the first beginning.",
            |lengths, device| with_ends(lengths, device, |cu| cu[1..].to_vec())
        ),
        wrong!(
            "the last end missing",
            "the last end is missing. These are only the beginnings, and the kernel would not see the last sequence.",
            |lengths, device| with_ends(lengths, device, |cu| cu[..cu.len() - 1].to_vec())
        ),
        wrong!(
            "i64",
            "the numbers are i64, as PyTorch would have them: candle's kernel reads u32.",
            |lengths, device| {
                let (cu, max) = right(lengths, device)?;
                Ok((cu.to_dtype(DType::I64)?, max))
            }
        ),
        wrong!(
            "i32",
            "the numbers are i32, as in the kernel's C++. candle passes them as u32, and refuses other types.",
            |lengths, device| {
                let (cu, max) = right(lengths, device)?;
                Ok((cu.to_dtype(DType::I32)?, max))
            }
        ),
        wrong!(
            "f32",
            "the numbers are f32, perhaps from `cumsum`: the kernel reads u32, and above 2²⁴ an f32 can't tell neighbours apart.",
            |lengths, device| {
                let (cu, max) = right(lengths, device)?;
                Ok((cu.to_dtype(DType::F32)?, max))
            }
        ),
        wrong!(
            "a matrix of one row",
            "the numbers have a second dimension: the kernel wants one, (batch + 1).",
            |lengths, device| {
                let (cu, max) = right(lengths, device)?;
                Ok((cu.unsqueeze(0)?, max))
            }
        ),
        wrong!(
            "longest first",
            "the sequences are sorted. They must keep their order, because the packed tokens do.",
            |lengths, device| {
                let (_, max) = right(lengths, device)?;
                let mut sorted = lengths.to_vec();
                sorted.sort_by(|a, b| b.cmp(a));
                Ok((Tensor::new(ends(&sorted), device)?, max))
            }
        ),
        wrong!(
            "empty sequences left out",
            "empty sequences are left out. There are always `batch + 1` numbers, or the kernel's third sequence is no longer the third of the batch.",
            |lengths, device| {
                let (_, max) = right(lengths, device)?;
                let some: Vec<usize> = lengths.iter().copied().filter(|&n| n > 0).collect();
                Ok((Tensor::new(ends(&some), device)?, max))
            }
        ),
        wrong!(
            "max: the sum",
            "the number is the sum of all lengths, perhaps the largest end. It should be the length of the longest sequence.",
            |lengths, device| with_max(lengths, device, |lengths| lengths.iter().sum())
        ),
        wrong!(
            "max: the mean",
            "the number is the mean length. It should be that of the longest sequence, or its last tokens get no output.",
            |lengths, device| with_max(lengths, device, |lengths| {
                lengths.iter().sum::<usize>() / lengths.len()
            })
        ),
        wrong!(
            "max: the first",
            "the number is the first length: any sequence may be the longest.",
            |lengths, device| with_max(lengths, device, |lengths| lengths[0])
        ),
        wrong!(
            "max: the last",
            "the number is the last length: any sequence may be the longest.",
            |lengths, device| with_max(lengths, device, |lengths| lengths[lengths.len() - 1])
        ),
        wrong!(
            "max: the shortest",
            "the number is the length of the shortest sequence. It should be that of the longest.",
            |lengths, device| with_max(lengths, device, |lengths| {
                lengths.iter().copied().min().unwrap_or(0)
            })
        ),
        wrong!(
            "max: how many",
            "the number is how many sequences there are. It should be the length of the longest.",
            |lengths, device| with_max(lengths, device, <[usize]>::len)
        ),
        wrong!(
            "max: which one",
            "the number says which sequence is the longest. It should say how long it is.",
            |lengths, device| with_max(lengths, device, |lengths| {
                lengths.iter().position(|&length| length == longest(lengths)).unwrap_or(0)
            })
        ),
        wrong!(
            "max: one less",
            "the number is the last position in the longest sequence, one less than its length.",
            |lengths, device| with_max(lengths, device, |lengths| longest(lengths)
                .saturating_sub(1))
        ),
        wrong!(
            "any empty sequence refused",
            "a batch with an empty sequence is refused. An empty sequence begins and ends at the same place, and the kernel skips it.",
            |lengths, device| match lengths.contains(&0) {
                true => bail!("an empty sequence"),
                false => right(lengths, device),
            }
        ),
        wrong!(
            "only empty sequences refused",
            "a batch of empty sequences is refused: it has sequences, and the longest has length 0.",
            |lengths, device| match longest(lengths) {
                0 => bail!("no tokens"),
                _ => right(lengths, device),
            }
        ),
        wrong!(
            "at least 1",
            "the longest of empty sequences has length 0, not 1: nothing needs to be computed for them.",
            |lengths, device| with_max(lengths, device, |lengths| longest(lengths).max(1))
        ),
        wrong!(
            "no sequence accepted",
            "a batch without sequences gives a lone 0: the kernel wants at least one sequence, so it is an error here.",
            |lengths, device| match lengths.is_empty() {
                true => Ok((Tensor::new(&[0u32], device)?, 0)),
                false => right(lengths, device),
            }
        ),
        wrong!(
            "no maximum",
            "`unwrap()` is called on the maximum of no lengths. A batch without sequences is an error, not a panic.",
            |lengths, device| {
                let max = *lengths.iter().max().unwrap();
                Ok((right(lengths, device)?.0, max))
            }
        ),
        wrong!(
            "u32's limit",
            "totals up to u32::MAX are accepted, as in week 8: the kernel on the GPU reads the numbers as i32, so i32::MAX is the limit.",
            |lengths, device| {
                let total = lengths.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
                if lengths.is_empty() || total > u32::MAX as usize {
                    bail!("lengths do not fit");
                }
                Ok((Tensor::new(ends(lengths), device)?, longest(lengths)))
            }
        ),
        wrong!(
            "each length cut to 32 bits",
            "each length is silently cut to 32 bits by `as u32`. Add them up as usize, compare, and return an error.",
            |lengths, device| {
                let cut: Vec<usize> =
                    lengths.iter().map(|length| *length as u32 as usize).collect();
                right(&cut, device)
            }
        ),
        wrong!(
            "cut to 32 bits",
            "a total above the limit is silently cut to 32 bits by `as u32`, and the ends start again at 0. Compare the total as usize, and return an error.",
            |lengths, device| match lengths.is_empty() {
                true => bail!("no sequences"),
                false => Ok((Tensor::new(ends(lengths), device)?, longest(lengths))),
            }
        ),
        wrong!(
            "each length compared",
            "each length is compared with the limit instead of their sum. Many sequences that fit can be too many tokens together.",
            |lengths, device| {
                if lengths.is_empty() || longest(lengths) > MOST {
                    bail!("lengths do not fit");
                }
                Ok((Tensor::new(ends(lengths), device)?, longest(lengths)))
            }
        ),
        wrong!(
            "the sum overflows",
            "the total is a sum that may overflow, which is a panic: `saturating_add` stops at the largest number, and that is refused.",
            |lengths, device| {
                let total: usize = lengths.iter().fold(0, |sum, &length| {
                    usize::checked_add(sum, length).expect("attempt to add with overflow")
                });
                if lengths.is_empty() || total > MOST {
                    bail!("lengths do not fit");
                }
                right(lengths, device)
            }
        ),
        wrong!(
            "one token less",
            "a total of i32::MAX is refused, but that number still fits into an i32.",
            |lengths, device| {
                let (cu, max) = right(lengths, device)?;
                match lengths.iter().sum::<usize>() {
                    MOST => bail!("too many"),
                    _ => Ok((cu, max)),
                }
            }
        ),
    ]
}
