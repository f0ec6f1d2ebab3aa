//! Wrong positions and wrong masks of packed sequences.

use super::{Wrong, checked, ints, lengths, wrong};
use crate::varlen::{DocumentMask, PositionIds};
use candle_core::{DType, Device, Result, Tensor, bail};

/// Positions by a rule for each token: its place, its sequence, and that sequence's beginning and end.
fn positions(cu_seqlens: &Tensor, id: impl Fn(u32, u32, u32, u32) -> u32) -> Result<Tensor> {
    let ends = checked(cu_seqlens)?;
    let mut ids = vec![];
    for (sequence, pair) in (0..).zip(ends.windows(2)) {
        ids.extend((pair[0]..pair[1]).map(|at| id(at, sequence, pair[0], pair[1])));
    }
    ints(ids)
}

/// The right positions of ends that were, or were not, looked at.
fn from_ends(ends: &[u32]) -> Result<Tensor> {
    ints(lengths(ends).into_iter().flat_map(|length| 0..length as u32).collect())
}

pub fn position_ids() -> Vec<Wrong<PositionIds>> {
    vec![
        wrong!(
            "not restarted",
            "the positions run on from one sequence to the next. Each sequence begins at position 0.",
            |cu| positions(cu, |at, _, _, _| at)
        ),
        wrong!(
            "from 1",
            "positions are counted from 1: the first token of a sequence is at 0.",
            |cu| positions(cu, |at, _, begin, _| at - begin + 1)
        ),
        wrong!(
            "which sequence",
            "these are the numbers of the sequences, not the positions in them.",
            |cu| positions(cu, |_, sequence, _, _| sequence)
        ),
        wrong!(
            "backwards",
            "the positions count down to the end of the sequence. Subtract the sequence's beginning from the token's place.",
            |cu| positions(cu, |at, _, _, end| end - 1 - at)
        ),
        wrong!(
            "the beginnings",
            "these are the beginnings of the sequences, repeated: subtract them from the token's place.",
            |cu| positions(cu, |_, _, begin, _| begin)
        ),
        wrong!(
            "one end at a time",
            "positions restart only when a token's place equals the *next* end, and one token can stand at several ends: an empty sequence begins and ends at the same place, and the restart behind it is lost. Go sequence by sequence.",
            |cu| {
                let ends = checked(cu)?;
                let (mut at, mut start, mut ids) = (0, 0, vec![]);
                for place in 0..ends.last().copied().unwrap_or(0) {
                    if ends.get(at + 1) == Some(&place) {
                        at += 1;
                        start = place;
                    }
                    ids.push(place - start);
                }
                ints(ids)
            }
        ),
        wrong!(
            "modulo the longest",
            "positions restart after as many tokens as the longest sequence has, as they would in a padded batch. Here, they restart where each sequence begins.",
            |cu| {
                let longest = lengths(&checked(cu)?).into_iter().max().unwrap_or(0).max(1) as u32;
                positions(cu, |at, _, _, _| at % longest)
            }
        ),
        wrong!(
            "padded",
            "every sequence gets as many positions as the longest. A packed batch has no padding: one position per token.",
            |cu| {
                let lengths = lengths(&checked(cu)?);
                let longest = lengths.iter().copied().max().unwrap_or(0) as u32;
                ints(lengths.iter().flat_map(|_| 0..longest).collect())
            }
        ),
        wrong!(
            "the ends included",
            "each sequence gets one position too many: it has as many tokens as end − beginning, so `0..length`, without `=`.",
            |cu| ints(
                lengths(&checked(cu)?)
                    .into_iter()
                    .flat_map(|length| 0..length as u32 + 1)
                    .collect()
            )
        ),
        wrong!(
            "ends taken for lengths",
            "the ends are taken for lengths: the length of a sequence is its end minus its beginning.",
            |cu| ints(checked(cu)?[1..].iter().flat_map(|&end| 0..end).collect())
        ),
        wrong!(
            "the last sequence missing",
            "the last sequence has no positions: with `batch + 1` numbers there are `batch` pairs of neighbours.",
            |cu| {
                let ends = checked(cu)?;
                from_ends(&ends[..ends.len().saturating_sub(1).max(1)])
            }
        ),
        wrong!("i64", "the positions are i64. Everything that counts tokens is u32 here.", |cu| {
            positions(cu, |at, _, begin, _| at - begin)?.to_dtype(DType::I64)
        }),
        wrong!("f32", "the positions are f32: they are u32, to index a table with.", |cu| {
            positions(cu, |at, _, begin, _| at - begin)?.to_dtype(DType::F32)
        }),
        wrong!(
            "everything refused",
            "a correct `cu_seqlens` is refused. If the error comes from your `max_seqlen`, make that pass its own check first; if not, see which condition is reversed.",
            |cu| {
                checked(cu)?;
                bail!("refused")
            }
        ),
        wrong!(
            "no tokens refused",
            "a batch without tokens is refused. Its positions are an empty row.",
            |cu| {
                if checked(cu)?.last() == Some(&0) {
                    bail!("no tokens");
                }
                positions(cu, |at, _, begin, _| at - begin)
            }
        ),
        wrong!(
            "nothing concatenated",
            "one row per sequence is made, and `Tensor::cat` joins them. Without sequences it has nothing to join, which is an error. Collect the numbers in a `Vec` first.",
            |cu| {
                let rows = lengths(&checked(cu)?)
                    .into_iter()
                    .map(|length| ints((0..length as u32).collect()));
                Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)
            }
        ),
        wrong!(
            "bad ends accepted",
            "a `cu_seqlens` that does not begin with 0, or falls, is taken as it is. `max_seqlen` refuses it, if you call it first; if you do, your `max_seqlen` is at fault: make it pass its own check first.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                ints(ends.windows(2).flat_map(|pair| 0..pair[1].saturating_sub(pair[0])).collect())
            }
        ),
        wrong!(
            "falling ends subtracted",
            "ends that fall are subtracted before they are checked, and a u32 below 0 is a panic. `max_seqlen` refuses them, if you call it first; if you do, your `max_seqlen` is at fault: make it pass its own check first.",
            |cu| {
                let ends = cu.to_vec1::<u32>()?;
                if ends.first() != Some(&0) {
                    bail!("expected a 0");
                }
                from_ends(&ends)
            }
        ),
    ]
}

/// A token of a packed batch.
struct Token {
    place: usize,
    sequence: usize,
    position: usize,
}

fn mask_of(ends: &[u32], sees: impl Fn(&Token, &Token) -> bool) -> Result<Tensor> {
    let mut tokens = vec![];
    for (sequence, length) in lengths(ends).into_iter().enumerate() {
        for position in 0..length {
            tokens.push(Token { place: tokens.len(), sequence, position });
        }
    }
    let total = tokens.len();
    let pairs = tokens.iter().flat_map(|query| tokens.iter().map(move |key| (query, key)));
    let mask: Vec<u8> = pairs.map(|(query, key)| u8::from(sees(query, key))).collect();
    Tensor::from_vec(mask, (total, total), &Device::Cpu)
}

fn mask(cu_seqlens: &Tensor, sees: impl Fn(&Token, &Token) -> bool) -> Result<Tensor> {
    mask_of(&checked(cu_seqlens)?, sees)
}

fn right(query: &Token, key: &Token, causal: bool) -> bool {
    query.sequence == key.sequence && (!causal || key.place <= query.place)
}

pub fn document_mask() -> Vec<Wrong<DocumentMask>> {
    vec![
        wrong!(
            "causal ignored",
            "`causal` is ignored. When it is true, a token sees no later one.",
            |cu, _| mask(cu, |query, key| right(query, key, false))
        ),
        wrong!(
            "always causal",
            "the future is always hidden. Without `causal`, a token sees all of its sequence.",
            |cu, _| mask(cu, |query, key| right(query, key, true))
        ),
        wrong!(
            "causal reversed",
            "`causal` is read the wrong way round: the future is hidden when it is true.",
            |cu, causal| mask(cu, |query, key| right(query, key, !causal))
        ),
        wrong!(
            "causal without documents",
            "with `causal`, the sequences are forgotten: a token sees all earlier tokens, those of other sequences too. Both conditions must hold.",
            |cu, causal| mask(cu, |query, key| {
                if causal { key.place <= query.place } else { right(query, key, false) }
            })
        ),
        wrong!(
            "either condition",
            "a token is seen when it is of the same sequence *or* not later: both must hold, so `&&`.",
            |cu, causal| mask(cu, |query, key| {
                query.sequence == key.sequence || causal && key.place <= query.place
            })
        ),
        wrong!(
            "earlier sequences seen",
            "a token also sees the sequences before its own: compare their numbers with `==`, not `<=`.",
            |cu, causal| mask(cu, |query, key| {
                key.sequence <= query.sequence && (!causal || key.place <= query.place)
            })
        ),
        wrong!(
            "everything seen",
            "all tokens see each other: the sequences are not kept apart.",
            |cu, causal| mask(cu, |query, key| !causal || key.place <= query.place)
        ),
        wrong!(
            "positions compared",
            "tokens see those at the same *position*. It is the number of the *sequence* that must be the same.",
            |cu, causal| mask(cu, |query, key| {
                query.position == key.position && (!causal || key.place <= query.place)
            })
        ),
        wrong!(
            "positions ordered",
            "causal compares positions within sequences, without checking that it is the same sequence: the second token of each sequence sees the first token of every other.",
            |cu, causal| mask(cu, |query, key| match causal {
                true => key.position <= query.position,
                false => right(query, key, false),
            })
        ),
        wrong!(
            "the future only",
            "causal is reversed: a token sees itself and what comes later. Rows are queries, and a key must not come after its query.",
            |cu, causal| mask(cu, |query, key| {
                query.sequence == key.sequence && (!causal || key.place >= query.place)
            })
        ),
        wrong!(
            "own token hidden",
            "with `causal`, a token does not see itself: key ≤ query, not key < query.",
            |cu, causal| mask(cu, |query, key| {
                query.sequence == key.sequence && (!causal || key.place < query.place)
            })
        ),
        wrong!("inverted", "0 and 1 are exchanged: 1 means may attend.", |cu, causal| mask(
            cu,
            |query, key| !right(query, key, causal)
        )),
        wrong!(
            "only neighbours",
            "a token sees only itself and the next one. It should see all tokens of its sequence.",
            |cu, causal| mask(cu, |query, key| {
                right(query, key, causal) && query.place.abs_diff(key.place) <= 1
            })
        ),
        wrong!(
            "blocks of the longest",
            "all blocks are as large as the longest sequence, as in a padded batch. Here, each is as large as its own sequence.",
            |cu, causal| {
                let ends = checked(cu)?;
                let longest = lengths(&ends).into_iter().max().unwrap_or(0).max(1);
                mask_of(&ends, |query, key| {
                    let same = query.place / longest == key.place / longest;
                    same && (!causal || key.place <= query.place)
                })
            }
        ),
        wrong!(
            "the end belongs to the sequence",
            "the first token of each sequence is counted as part of the one before. `begin..end` excludes the end, so it is `<`, not `<=`.",
            |cu, causal| {
                let ends = checked(cu)?;
                let sequence =
                    |token: &Token| ends[1..].iter().position(|&end| token.place <= end as usize);
                mask_of(&ends, |query, key| {
                    sequence(query) == sequence(key) && (!causal || key.place <= query.place)
                })
            }
        ),
        wrong!(
            "additive",
            "this is an additive mask, of 0 and −∞. The result should be a keep-mask: u8, 1 = may attend.",
            |cu, causal| {
                let keep = mask(cu, |query, key| right(query, key, causal))?;
                let zeros = Tensor::zeros(keep.shape(), DType::F32, &Device::Cpu)?;
                keep.where_cond(&zeros, &(&zeros + f64::NEG_INFINITY)?)
            }
        ),
        wrong!("u32", "the mask is u32: masks are u8.", |cu, causal| mask(
            cu,
            |query, key| right(query, key, causal)
        )?
        .to_dtype(DType::U32)),
        wrong!(
            "dimensions in front",
            "the mask already has a dimension for batch and heads. It should be `(total, total)`, which broadcasts.",
            |cu, causal| mask(cu, |query, key| right(query, key, causal))?.unsqueeze(0)
        ),
        wrong!(
            "sequences counted in u8",
            "sequences are numbered in u8, which wraps at 256, so that sequence 256 gets the number of sequence 0. Use u32.",
            |cu, causal| mask(cu, |query, key| {
                query.sequence % 256 == key.sequence % 256 && (!causal || key.place <= query.place)
            })
        ),
        wrong!(
            "everything refused",
            "a correct `cu_seqlens` is refused. If the error comes from your `max_seqlen`, make that pass its own check first; if not, see which condition is reversed.",
            |cu, _| {
                checked(cu)?;
                bail!("refused")
            }
        ),
        wrong!(
            "no tokens refused",
            "a batch without tokens is refused. Its mask is empty, (0, 0).",
            |cu, causal| {
                if checked(cu)?.last() == Some(&0) {
                    bail!("no tokens");
                }
                mask(cu, |query, key| right(query, key, causal))
            }
        ),
        wrong!(
            "bad ends accepted",
            "a `cu_seqlens` that does not begin with 0, or falls, is taken as it is. `max_seqlen` refuses it, if you call it first; if you do, your `max_seqlen` is at fault: make it pass its own check first.",
            |cu, causal| {
                let mut ends = cu.to_vec1::<u32>()?;
                for at in 1..ends.len() {
                    ends[at] = ends[at].max(ends[at - 1]);
                }
                mask_of(&ends, |query, key| right(query, key, causal))
            }
        ),
    ]
}
