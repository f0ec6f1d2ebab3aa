//! Wrong attention over packed sequences.

use super::{
    Wrong,
    attention::{Fault, Sizes, Steps, faults},
    checked, lengths,
};
use crate::varlen::Ragged;
use candle_core::{Device, Result, Tensor, bail};

/// A token of a packed batch.
#[derive(Clone, Copy)]
struct Token {
    place: usize,
    sequence: usize,
    position: usize,
    /// The end of its sequence.
    end: usize,
    /// The length of the longest sequence, as it was given.
    longest: usize,
    /// How many sequences there are.
    sequences: usize,
}

/// Whether a query sees a key.
type Sees = fn(Token, Token, bool) -> bool;

fn sees(query: Token, key: Token, causal: bool) -> bool {
    query.sequence == key.sequence && before(query, key, causal)
}

fn before(query: Token, key: Token, causal: bool) -> bool {
    !causal || key.place <= query.place
}

/// The mask `(1, 1, total, total)`.
fn mask(ends: &[u32], longest: usize, causal: bool, sees: Sees) -> Result<Tensor> {
    let (lengths, mut tokens) = (lengths(ends), vec![]);
    let sequences = lengths.len();
    for (sequence, &length) in lengths.iter().enumerate() {
        let end = tokens.len() + length;
        for position in 0..length {
            tokens.push(Token { place: tokens.len(), sequence, position, end, longest, sequences });
        }
    }
    let pairs = tokens.iter().flat_map(|query| tokens.iter().map(move |key| (query, key)));
    let mask: Vec<u8> = pairs.map(|(query, key)| u8::from(sees(*query, *key, causal))).collect();
    Tensor::from_vec(mask, (1, 1, tokens.len(), tokens.len()), &Device::Cpu)
}

/// Attention in these steps, under a mask of these, for ends that `ends` reads.
fn attention_of(
    steps: Steps,
    sees: Sees,
    causal: bool,
    ends: fn(&Tensor, usize) -> Result<Vec<u32>>,
) -> Box<Ragged> {
    Box::new(move |q, k, v, heads, dim, cu_seqlens, max_seqlen| {
        let sizes = Sizes { heads, dim };
        steps.fit([q, k, v], sizes)?;
        let ends = ends(cu_seqlens, q.dim(0)?)?;
        let (q, k, v) = (q.unsqueeze(0)?, k.unsqueeze(0)?, v.unsqueeze(0)?);
        steps.run([&q, &k, &v], sizes, &mask(&ends, max_seqlen, causal, sees)?)?.squeeze(0)
    })
}

/// The ends, if they are what they should be.
fn good(cu_seqlens: &Tensor, total: usize) -> Result<Vec<u32>> {
    let ends = checked(cu_seqlens)?;
    match ends.last().map(|&end| end as usize) == Some(total) {
        true => Ok(ends),
        false => bail!("cu_seqlens does not end where the tokens do"),
    }
}

fn attention(steps: Steps, sees: Sees, causal: bool) -> Box<Ragged> {
    attention_of(steps, sees, causal, good)
}

/// As it should be.
pub(super) fn right(causal: bool) -> Box<Ragged> {
    attention(Steps::right(), sees, causal)
}

/// Without regard to where sequences begin.
pub(super) fn one_sequence(causal: bool) -> Box<Ragged> {
    attention(Steps::right(), before, causal)
}

/// A wrong choice of keys: a name, a diagnosis, and who is seen.
type WrongMask = (&'static str, &'static str, Sees);

fn masks() -> Vec<WrongMask> {
    vec![
        (
            "all tokens as one sequence",
            "`cu_seqlens` is not used: all tokens are treated as one sequence, and see each other across borders.",
            before,
        ),
        (
            "blocks of the longest",
            "sequence b is read at b · max_seqlen, as in a padded batch. Here it begins at `cu_seqlens[b]`.",
            |query, key, causal| {
                query.place / query.longest == key.place / key.longest && before(query, key, causal)
            },
        ),
        (
            "the same positions",
            "tokens see those at the same position of other sequences, as if batch and seq were swapped. A token's sequence is the range between two ends.",
            |query, key, causal| query.position == key.position && before(query, key, causal),
        ),
        (
            "the first sequence only",
            "only the first sequence is computed, and all others get zeros. Go through all pairs of neighbours in `cu_seqlens`.",
            |query, key, causal| query.sequence == 0 && sees(query, key, causal),
        ),
        (
            "the last sequence missing",
            "the last sequence gets zeros: with `batch + 1` numbers there are `batch` sequences.",
            |query, key, causal| query.sequence + 1 < query.sequences && sees(query, key, causal),
        ),
    ]
}

fn bidirectional_masks() -> Vec<WrongMask> {
    vec![
        (
            "causal",
            "later keys are hidden: this variant sees both ways, so `causal` is false.",
            |query, key, _| sees(query, key, true),
        ),
        (
            "a token of the next sequence",
            "each sequence reaches one token too far, into the next one. The ends in `cu_seqlens` are exclusive.",
            |query, key, causal| {
                let near = query.sequence == key.sequence || key.place == query.end;
                near && before(query, key, causal)
            },
        ),
        (
            "the last token missing",
            "the last token of each sequence is not seen. The length is end − beginning, with nothing subtracted.",
            |query, key, causal| {
                let last = key.place + 1 == key.end && query.place != key.place;
                sees(query, key, causal) && !last
            },
        ),
        (
            "earlier sequences seen",
            "a token also sees the sequences before its own. Its keys begin where its own sequence does.",
            |query, key, _| key.sequence <= query.sequence,
        ),
    ]
}

fn causal_masks() -> Vec<WrongMask> {
    vec![
        (
            "future seen",
            "the future is not hidden: `causal` is true for this variant.",
            |query, key, _| sees(query, key, false),
        ),
        (
            "own token hidden",
            "a query does not see its own token: key ≤ query, not key < query.",
            |query, key, _| query.sequence == key.sequence && key.place < query.place,
        ),
        (
            "the future only",
            "the triangle is reversed: a query sees itself and what comes later.",
            |query, key, _| query.sequence == key.sequence && key.place >= query.place,
        ),
        (
            "a token of the sequence before",
            "each sequence begins one token too early, with the last token of the one before. It begins at `cu_seqlens[b]`.",
            |query, key, causal| {
                let near =
                    query.sequence == key.sequence || key.place + 1 == query.place - query.position;
                near && before(query, key, causal)
            },
        ),
        (
            "positions ordered",
            "positions are compared without checking that it is the same sequence, so every token sees the beginnings of all.",
            |query, key, _| key.position <= query.position,
        ),
    ]
}

/// Wrong answers whose fault is in what they take and give.
fn others(causal: bool) -> Vec<Wrong<Ragged>> {
    let wrong = |name, diagnosis, answer: Box<Ragged>| Wrong { name, diagnosis, answer };
    let with = |ends| attention_of(Steps::right(), sees, causal, ends);
    let right = || right(causal);
    let [flat, first, nothing, unchecked, empty] = [right(), right(), right(), right(), right()];
    let combined = right();
    vec![
        wrong(
            "combined as in week 4",
            "`combine_heads` is given three dimensions, and it puts the heads of a *padded* batch together, (batch, heads, seq, head_dim). In a packed batch the heads of a token stand side by side already: `(total, heads, head_dim)` only needs its last two dimensions flattened.",
            Box::new(move |q, k, v, heads, dim, cu, max| {
                let total = combined(q, k, v, heads, dim, cu, max)?.dim(0)?;
                bail!("unexpected rank, expected: 4, got: 3 ([{total}, {heads}, {dim}])")
            }),
        ),
        wrong(
            "a dimension per head",
            "the result is `(total, heads, head_dim)`: flatten the last two, to the shape of q.",
            Box::new(move |q, k, v, heads, dim, cu, max| {
                flat(q, k, v, heads, dim, cu, max)?.reshape((q.dim(0)?, heads, dim))
            }),
        ),
        wrong(
            "heads first",
            "the tokens are reshaped to `(heads, total, head_dim)`, and the kernel mistakes heads for tokens. It wants `(total, heads, head_dim)`.",
            Box::new(move |q, k, v, heads, dim, cu, max| {
                // The kernel's own words, as long as heads and tokens differ in number.
                let (total, last) = (q.dim(0)?, cu.elem_count().saturating_sub(1));
                match total == heads {
                    true => first(q, k, v, heads, dim, cu, max),
                    false => bail!(
                        "cu_seqlens_q: expected its last entry (number {last}) to be {heads}, the rows of q; got {total}"
                    ),
                }
            }),
        ),
        wrong(
            "no tokens refused",
            "a batch without tokens is refused. It has no outputs, and that is fine.",
            Box::new(move |q, k, v, heads, dim, cu, max| {
                if q.elem_count() == 0 {
                    bail!("no tokens");
                }
                nothing(q, k, v, heads, dim, cu, max)
            }),
        ),
        wrong(
            "any hidden of no tokens",
            "without tokens, `hidden` is not compared with num_heads · head_dim: a reshape of nothing fits any heads. `split_packed` compares.",
            Box::new(move |q, k, v, heads, dim, cu, max| match q.elem_count() {
                0 => {
                    good(cu, q.dim(0)?)?;
                    q.zeros_like()
                }
                _ => unchecked(q, k, v, heads, dim, cu, max),
            }),
        ),
        wrong(
            "empty sequences refused",
            "an empty sequence is refused. It has no tokens, and that is fine.",
            Box::new(move |q, k, v, heads, dim, cu, max| {
                let out = empty(q, k, v, heads, dim, cu, max)?;
                if checked(cu)?.windows(2).any(|pair| pair[0] == pair[1]) {
                    bail!("an empty sequence");
                }
                Ok(out)
            }),
        ),
        wrong(
            "any end accepted",
            "a `cu_seqlens` that begins above 0, or falls, is accepted, and tokens go to the wrong sequence. Return an error.",
            with(|cu, total| match cu.to_vec1::<u32>()? {
                ends if ends.first() == Some(&0) && ends.is_sorted() => good(cu, total),
                _ => Ok(vec![0, total as u32]),
            }),
        ),
        wrong(
            "any total accepted",
            "the last end is not compared with the number of tokens. Tokens after it would belong to no sequence, and an end after the last token to no token.",
            with(|cu, total| {
                checked(cu)?;
                good(cu, total).or_else(|_| Ok(vec![0, total as u32]))
            }),
        ),
        wrong(
            "any type accepted",
            "ends of another type are converted to u32. The kernel would refuse PyTorch's i64: return an error.",
            with(|cu, total| good(&cu.to_dtype(candle_core::DType::U32)?, total)),
        ),
    ]
}

fn all(causal: bool) -> Vec<Wrong<Ragged>> {
    let step = |(name, diagnosis, steps): Fault| Wrong {
        name,
        diagnosis,
        answer: attention(steps, sees, causal),
    };
    let mask = |(name, diagnosis, sees): WrongMask| Wrong {
        name,
        diagnosis,
        answer: attention(Steps::right(), sees, causal),
    };
    let own = if causal { causal_masks() } else { bidirectional_masks() };
    let masks = masks().into_iter().chain(own).map(mask);
    let steps = faults().into_iter().filter(|(name, ..)| *name != "mask after the softmax");
    masks.chain(steps.map(step)).chain(others(causal)).collect()
}

pub fn flash_bidirectional() -> Vec<Wrong<Ragged>> {
    all(false)
}

pub fn flash_causal() -> Vec<Wrong<Ragged>> {
    all(true)
}
