//! Wrong greedy decodings: a right one, each time with one fault.

use crate::{
    transformer::{Cross, GreedyDecode, Step},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Right,
    WritesAtLeastOne,
    EncodedEachTime,
    NotEncoded,
    FirstPosition,
    StartReturned,
    GoesOnAfterEnd,
    PaddedWithZero,
    EndForgotten,
    NeverStops,
    StopsWithFirst,
    StopsOneLate,
    OneTooMany,
    OneTooFew,
    LeastProbable,
    LastTokenOnly,
    StartCanEnd,
    StartEndsFirst,
    StartWrittenEnds,
    EmptyDecoded,
    ArgmaxOverBatch,
    ArgmaxOverBatchJoined,
    ArgmaxOverPositions,
    ArgmaxOverOnePosition,
    CountedInU8,
    EndNotWritten,
}
use Fault::*;

/// Tokens row by row instead of as a tensor, which leaves room for every fault.
fn decoded(
    fault: Fault,
    source: &Tensor,
    encode: &Step,
    decode: &Cross,
    [start, end]: [u32; 2],
    max_len: usize,
) -> Result<Tensor> {
    let (batch, device) = (source.dim(0)?, source.device());
    let mut memory = encode(source)?;
    if fault == NotEncoded {
        memory = source.to_dtype(memory.dtype())?.reshape(memory.shape())?;
    }
    let mut rows = vec![vec![start]; batch];
    let mut ended = vec![matches!(fault, StartCanEnd | StartEndsFirst) && start == end; batch];
    let mut late = false;
    let limit = match fault {
        OneTooMany => max_len + 1,
        OneTooFew => max_len.saturating_sub(1),
        WritesAtLeastOne => max_len.max(1),
        _ => max_len,
    };
    for _ in 0..limit {
        let none_left = batch == 0 && fault != EmptyDecoded;
        if none_left || fault == StartEndsFirst && ended.iter().all(|&ended| ended) {
            break;
        }
        let seen: Vec<&[u32]> = match fault {
            LastTokenOnly => rows.iter().map(|row| &row[row.len() - 1..]).collect(),
            _ => rows.iter().map(Vec::as_slice).collect(),
        };
        let seq = seen.first().map_or(1, |row| row.len());
        let target = Tensor::from_vec(seen.concat(), (batch, seq), device)?;
        if fault == EncodedEachTime {
            memory = encode(source)?;
        }
        let position = if fault == FirstPosition { 0 } else { seq - 1 };
        let all = decode(&target, &memory)?;
        let last = all.narrow(1, position, 1)?;
        let log_probs = last.squeeze(1)?;
        let next = match fault {
            LeastProbable => log_probs.argmin(D::Minus1)?.to_vec1()?,
            ArgmaxOverBatch => log_probs.argmax(0)?.to_vec1()?,
            ArgmaxOverBatchJoined => {
                let next = log_probs.argmax(0)?.unsqueeze(1)?;
                Tensor::cat(&[&target, &next], 1)?.narrow(1, seq, 1)?.squeeze(1)?.to_vec1()?
            }
            ArgmaxOverPositions => all.argmax(1)?.narrow(1, position, 1)?.squeeze(1)?.to_vec1()?,
            ArgmaxOverOnePosition => {
                let ends = Tensor::full(end, (batch, 1), device)?;
                let next = ends.ne(&ends)?.where_cond(&ends, &last.argmax(1)?)?;
                next.squeeze(1)?.to_vec1()?
            }
            _ => log_probs.argmax(D::Minus1)?.to_vec1::<u32>()?,
        };
        for ((row, ended), next) in rows.iter_mut().zip(&mut ended).zip(next) {
            let filler = match fault {
                GoesOnAfterEnd => next,
                PaddedWithZero => 0,
                _ => end,
            };
            row.push(if *ended { filler } else { next });
            // Forgotten: what counts is the token of this step alone, not whether one was an end before.
            *ended = next == end
                || (fault == StartWrittenEnds && next == start)
                || (*ended && fault != EndForgotten);
        }
        let count = ended.iter().filter(|&&ended| ended).count();
        let stop = match fault {
            NeverStops => false,
            StopsWithFirst => count > 0,
            StopsOneLate => late,
            CountedInU8 => count % 256 == batch,
            _ => count == batch,
        };
        late = count == batch;
        if stop {
            break;
        }
    }
    let first = if fault == StartReturned { 0 } else { 1 };
    let mut length = rows.first().map_or(0, Vec::len).saturating_sub(first);
    if fault == EndNotWritten && late {
        length = length.saturating_sub(1);
    }
    let written: Vec<u32> =
        rows.iter().flat_map(|row| row[first..first + length].to_vec()).collect();
    Tensor::from_vec(written, (batch, length), device)
}

macro_rules! faulty {
    ($fault:ident, $name:literal, $diagnosis:literal) => {
        wrong!($name, $diagnosis, |source, encode, decode, marks, max_len| {
            decoded($fault, source, encode, decode, marks, max_len)
        })
    };
}

pub fn greedy_decode() -> Vec<Wrong<GreedyDecode>> {
    vec![
        faulty!(
            EncodedEachTime,
            "encoded each time",
            "the encoder runs again for every token: the source does not change, so run it once, before the loop."
        ),
        faulty!(
            NotEncoded,
            "source instead of memory",
            "the decoder gets the source's tokens instead of what `encode` made of them."
        ),
        faulty!(
            FirstPosition,
            "first position",
            "the log-probabilities of the first position are used each time: what follows the last token stands at the last position."
        ),
        faulty!(
            StartReturned,
            "start returned",
            "the start is part of the result: it only begins the target, so cut it off."
        ),
        faulty!(
            GoesOnAfterEnd,
            "goes on after the end",
            "a sequence goes on after its end, while the others are not done: once it has ended, write `end`."
        ),
        faulty!(
            PaddedWithZero,
            "0 after the end",
            "after its end a sequence is filled up with 0: here what follows an `end` is `end`."
        ),
        faulty!(
            EndForgotten,
            "end forgotten",
            "a sequence stays ended for one token only: whether it has ended must be kept, or read from the token that was written, not from the one that was wanted."
        ),
        faulty!(
            NeverStops,
            "never stops early",
            "it goes on to max_len although all sequences have ended: stop then. Each further token costs a run of the decoder."
        ),
        faulty!(
            StopsWithFirst,
            "stops with the first",
            "it stops when the first sequence ends: it is the last one that counts."
        ),
        faulty!(
            StopsOneLate,
            "stops one late",
            "it stops one token late: check whether all have ended after the tokens are written, not before."
        ),
        faulty!(
            OneTooMany,
            "one too many",
            "it writes max_len + 1 tokens: the start does not count."
        ),
        faulty!(
            OneTooFew,
            "one too few",
            "it writes max_len − 1 tokens: the start does not count."
        ),
        faulty!(
            ArgmaxOverBatch,
            "argmax over the batch",
            "the argmax is taken over the wrong dimension: log-probabilities are (batch, seq_t, vocab), and the tokens to choose from stand along the last one, `D::Minus1`."
        ),
        faulty!(
            ArgmaxOverBatchJoined,
            "argmax over the batch, joined",
            "the argmax is taken over the wrong dimension: log-probabilities are (batch, seq_t, vocab), and the tokens to choose from stand along the last one, `D::Minus1`."
        ),
        faulty!(
            ArgmaxOverPositions,
            "argmax over the positions",
            "the argmax is taken over the wrong dimension: log-probabilities are (batch, seq_t, vocab), and the tokens to choose from stand along the last one, `D::Minus1`."
        ),
        faulty!(
            ArgmaxOverOnePosition,
            "argmax over the last position",
            "the argmax is taken over the wrong dimension: log-probabilities are (batch, seq_t, vocab), and the tokens to choose from stand along the last one, `D::Minus1`."
        ),
        faulty!(
            LeastProbable,
            "least probable",
            "it writes the least probable token: `argmax`, not `argmin`. Log-probabilities are negative, and the largest is nearest to 0."
        ),
        faulty!(
            LastTokenOnly,
            "last token only",
            "the decoder gets the last token alone: it keeps nothing between two calls, so hand it the start and all tokens so far."
        ),
        faulty!(
            StartCanEnd,
            "start can end",
            "a start that is also the end ends every sequence at once: look at the tokens that were written, not at the start."
        ),
        faulty!(
            StartEndsFirst,
            "start can end, asked first",
            "a start that is also the end ends every sequence before its first token: look at the tokens that were written, not at the start."
        ),
        faulty!(
            StartWrittenEnds,
            "a written start ends",
            "a `start` among the written tokens ends its sequence: only `end` does."
        ),
        faulty!(
            EmptyDecoded,
            "empty batch decoded",
            "the batch is empty and the decoder ran anyway: check whether all have ended at the top of the loop."
        ),
        faulty!(
            CountedInU8,
            "counted in u8",
            "the ended sequences are counted in the type of the comparison, u8, which ends at 255: turn the mask into u32 before you sum it."
        ),
        faulty!(
            EndNotWritten,
            "end not written",
            "the last token is missing: the `end` of the last sequence is part of the result."
        ),
        faulty!(
            WritesAtLeastOne,
            "max_len 0 writes one",
            "with max_len 0 a token is still written: check the limit before the first token, not after it."
        ),
        wrong!(
            "one sequence at a time",
            "the sequences are written one after the other, each with an encoder run of its own: encode the whole batch once, and let all sequences write side by side.",
            |source, encode, decode, marks, max_len| {
                let [_, end] = marks;
                let batch = source.dim(0)?;
                if batch == 0 {
                    return decoded(Right, source, encode, decode, marks, max_len);
                }
                let row = |at: usize| {
                    decoded(Right, &source.narrow(0, at, 1)?, encode, decode, marks, max_len)
                };
                let rows = (0..batch).map(|at| row(at)?.flatten_all()?.to_vec1::<u32>());
                let mut rows = rows.collect::<Result<Vec<_>>>()?;
                let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
                rows.iter_mut().for_each(|row| row.resize(longest, end));
                Tensor::from_vec(rows.concat(), (batch, longest), source.device())
            }
        ),
        wrong!(
            "empty batch filled up",
            "an empty batch gives (0, max_len): when no sequence is left to write, writing stops at once, so the result is (0, 0).",
            |source, encode, decode, marks, max_len| match source.dim(0)? {
                0 => Tensor::zeros((0, max_len), DType::U32, source.device()),
                _ => decoded(Right, source, encode, decode, marks, max_len),
            }
        ),
    ]
}
