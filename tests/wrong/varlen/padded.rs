//! Wrong attention over padded batches.

use super::{
    Wrong,
    attention::{Fault, Sizes, Steps, faults, hidden, over_keys},
    ragged,
};
use crate::varlen::{Padded, Six};
use candle_core::{D, DType, Device, Result, Tensor, bail};

/// Who is seen: the mask's rows; batch element, head, query and key; causal or not.
type Sees = fn(&[Vec<u8>], [usize; 4], bool) -> bool;

fn sees(keep: &[Vec<u8>], [batch, _, query, key]: [usize; 4], causal: bool) -> bool {
    keep[batch][key] != 0 && (!causal || key <= query)
}

/// The mask `(batch, heads, seq, seq)`.
fn mask(keep: &Tensor, heads: usize, causal: bool, sees: Sees) -> Result<Tensor> {
    let (batch, seq) = keep.dims2()?;
    let numbers = keep.flatten_all()?.to_vec1::<u8>()?;
    let rows: Vec<Vec<u8>> =
        (0..batch).map(|at| numbers[at * seq..(at + 1) * seq].to_vec()).collect();
    let mut mask = Vec::with_capacity(batch * heads * seq * seq);
    for at in 0..batch * heads * seq * seq {
        let index = [at / seq / seq / heads, at / seq / seq % heads, at / seq % seq, at % seq];
        mask.push(u8::from(sees(&rows, index, causal)));
    }
    Tensor::from_vec(mask, (batch, heads, seq, seq), &Device::Cpu)
}

/// Errors unless keep is `(batch, seq)` of q, u8.
fn fits(q: &Tensor, keep: &Tensor) -> Result<()> {
    if keep.dtype() != DType::U8 || keep.dims() != &q.dims()[..2] {
        bail!("keep does not fit");
    }
    Ok(())
}

/// Attention in these steps, under a mask of these.
fn attention(steps: Steps, sees: Sees, causal: bool) -> Box<Padded> {
    Box::new(move |q, k, v, heads, dim, keep| {
        fits(q, keep)?;
        let heads = steps.fit([q, k, v], Sizes { heads, dim })?.heads;
        steps.run([q, k, v], Sizes { heads, dim }, &mask(keep, heads, causal, sees)?)
    })
}

/// A wrong mask: a name, a diagnosis, and who is seen.
type WrongMask = (&'static str, &'static str, Sees);

fn masks() -> Vec<WrongMask> {
    vec![
        (
            "padding seen",
            "real queries see padding. Either the mask is not used, or it hides queries, `(batch, 1, seq, 1)`, instead of keys, `(batch, 1, 1, seq)`.",
            |_, [_, _, query, key], causal| !causal || key <= query,
        ),
        (
            "mask inverted",
            "the mask is read the wrong way round. Not 0 means real; the others are hidden.",
            |keep, [batch, _, query, key], causal| {
                keep[batch][key] == 0 && (!causal || key <= query)
            },
        ),
        (
            "mask of the heads",
            "the mask is `(batch, 1, seq)`, which broadcasts over heads, not over sequences: head 0 gets the mask of sequence 0. It needs a 1 for heads *and* one for queries: `(batch, 1, 1, seq)`.",
            |keep, [_, head, query, key], causal| {
                keep[head % keep.len()][key] != 0 && (!causal || key <= query)
            },
        ),
        (
            "the first mask for all",
            "all sequences get the mask of the first one: each has its own.",
            |keep, [_, _, query, key], causal| keep[0][key] != 0 && (!causal || key <= query),
        ),
        (
            "lengths counted",
            "the first keys of each sequence are seen, as many as are real. That is right only if the padding is at the end.",
            |keep, [batch, _, query, key], causal| {
                let length = keep[batch].iter().filter(|&&real| real != 0).count();
                key < length && (!causal || key <= query)
            },
        ),
        (
            "only 1 is real",
            "only a 1 counts as real: every number but 0 does.",
            |keep, [batch, _, query, key], causal| {
                keep[batch][key] == 1 && (!causal || key <= query)
            },
        ),
        (
            "products of u8",
            "numbers of the mask are multiplied, and 16 · 16 in u8 is 0: make them 0 and 1 first (`ne(0)`), or leave the queries' mask out.",
            |keep, [batch, _, query, key], causal| {
                keep[batch][query].wrapping_mul(keep[batch][key]) != 0 && (!causal || key <= query)
            },
        ),
        (
            "even numbers lost",
            "numbers of the mask are multiplied in u8, which wraps at 256: 2 · 128 is 0, and a real token disappears. Turn every number but 0 into 1 before you multiply.",
            |keep, [batch, _, query, key], causal| {
                keep[batch][key].wrapping_mul(128) != 0 && (!causal || key <= query)
            },
        ),
    ]
}

fn bidirectional_masks() -> Vec<WrongMask> {
    vec![
        ("causal", "later keys are hidden: this variant sees both ways.", |keep, index, _| {
            sees(keep, index, true)
        }),
        (
            "own token hidden",
            "a query does not see its own token. It should see every real key, its own included.",
            |keep, [batch, _, query, key], _| keep[batch][key] != 0 && key != query,
        ),
    ]
}

fn causal_masks() -> Vec<WrongMask> {
    vec![
        (
            "future seen",
            "the padding is hidden, but the future is not: this variant needs both masks.",
            |keep, index, _| sees(keep, index, false),
        ),
        (
            "own token hidden",
            "a query does not see its own token: key ≤ query, not key < query.",
            |keep, [batch, _, query, key], _| keep[batch][key] != 0 && key < query,
        ),
        (
            "one token of the future",
            "a query sees the next token, too: key ≤ query. A mask that is shifted by one lets a model read what it should predict.",
            |keep, [batch, _, query, key], _| keep[batch][key] != 0 && key <= query + 1,
        ),
        (
            "the future only",
            "the triangle is reversed: a query sees itself and what comes later. Rows are queries: key ≤ query.",
            |keep, [batch, _, query, key], _| keep[batch][key] != 0 && key >= query,
        ),
        (
            "either mask",
            "a key is seen when it is real *or* not later: both must hold. Masks are multiplied, not added.",
            |keep, [batch, _, query, key], _| keep[batch][key] != 0 || key <= query,
        ),
        (
            "causal among the real",
            "the triangle is shifted by the padding. Queries and keys are counted by the same places of the padded batch, so no shift is needed. Bottom-right alignment is for fewer queries than keys.",
            |keep, [batch, _, query, key], _| {
                let real = keep[batch].iter().filter(|&&real| real != 0).count();
                keep[batch][key] != 0 && key + keep[batch].len() <= query + real
            },
        ),
    ]
}

/// What goes wrong in the use of the mask as numbers.
fn mask_faults() -> Vec<Fault> {
    let right = Steps::right();
    vec![
        (
            "0 and 1 added",
            "the mask's 0 and 1 are added to the scores. That is a bias of 1, and hides nothing: a hidden score must become −∞.",
            Steps {
                weigh: |scores, mask| over_keys(&(scores + mask.to_dtype(scores.dtype())?)?),
                ..right
            },
        ),
        (
            "scores multiplied",
            "the scores are multiplied by the mask, so hidden scores become 0, and e⁰ is 1. A hidden score must become −∞.",
            Steps {
                weigh: |scores, mask| over_keys(&(scores * mask.to_dtype(scores.dtype())?)?),
                ..right
            },
        ),
        (
            "scale in f32",
            "the scale is computed in f32, so the scores of f64 inputs carry only half of their digits. Compute √head_dim in f64.",
            Steps { scale: |sizes| f64::from(1. / (sizes.dim as f32).sqrt()), ..right },
        ),
        (
            "NaN where nothing is seen",
            "a query that sees nothing gets NaN, from a softmax over nothing but −∞. Even on padding this matters, because 0 · NaN is NaN in the next layer. `masked_attention` and `sdpa` give zeros.",
            Steps { weigh: |scores, mask| over_keys(&hidden(scores, mask)?), ..right },
        ),
    ]
}

/// Wrong answers whose fault is in what they take and give.
fn others(causal: bool) -> Vec<Wrong<Padded>> {
    let right = attention(Steps::right(), sees, causal);
    let wrong = |name, diagnosis, answer: Box<Padded>| Wrong { name, diagnosis, answer };
    vec![
        wrong(
            "a dimension per head",
            "the result is `(batch, heads, seq, head_dim)`: put the heads together again, to the shape of q.",
            Box::new(move |q, k, v, heads, dim, keep| {
                let steps = Steps { join: |x| Ok(x.clone()), ..Steps::right() };
                match q.elem_count() {
                    0 => attention(steps, sees, causal)(q, k, v, heads, dim, keep)?.reshape((
                        q.dim(0)?,
                        heads,
                        q.dim(1)?,
                        dim,
                    )),
                    _ => attention(steps, sees, causal)(q, k, v, heads, dim, keep),
                }
            }),
        ),
        wrong(
            "the batch as one sequence",
            "all sequences of the batch attend to each other. The batch should stay a dimension of its own.",
            Box::new(move |q, k, v, heads, dim, keep| {
                fits(q, keep)?;
                let shape = q.shape();
                let one = |x: &Tensor| x.flatten(0, 1)?.unsqueeze(0);
                let keep = keep.flatten_all()?.unsqueeze(0)?;
                attention(Steps::right(), sees, causal)(
                    &one(q)?,
                    &one(k)?,
                    &one(v)?,
                    heads,
                    dim,
                    &keep,
                )?
                .reshape(shape)
            }),
        ),
        wrong(
            "a float mask accepted",
            "a mask of floats is accepted, and its ones are added to the scores. `keep` is u8; another type is an error.",
            Box::new({
                let right = attention(Steps::right(), sees, causal);
                move |q, k, v, heads, dim, keep| {
                    right(q, k, v, heads, dim, &keep.to_dtype(DType::U8)?)
                }
            }),
        ),
        wrong(
            "keep minus one",
            "`(keep − 1) · 1e9` takes the mask for zeros and ones: any other number becomes a huge bias that hides all the rest. Use `where_cond`, or `ne(0)` first.",
            Box::new(move |q, k, v, heads, dim, keep| {
                let steps = Steps {
                    weigh: |scores, mask| {
                        let bias = ((mask.to_dtype(scores.dtype())? - 1.)? * 1e9)?;
                        over_keys(&(scores + bias)?)
                    },
                    ..Steps::right()
                };
                fits(q, keep)?;
                let seq = q.dim(1)?;
                let keep = keep.unsqueeze(1)?.unsqueeze(1)?;
                let mask = if causal { keep.broadcast_mul(&triangle(seq)?)? } else { keep };
                steps.run([q, k, v], Sizes { heads, dim }, &mask)
            }),
        ),
        wrong(
            "one mask for all sequences",
            "a mask for one sequence is broadcast to all of the batch, silently: `keep` is `(batch, seq)`, compare it with q.",
            Box::new({
                let right = attention(Steps::right(), sees, causal);
                move |q, k, v, heads, dim, keep| match keep.dims() {
                    [1, _] => right(q, k, v, heads, dim, &keep.repeat((q.dim(0)?, 1))?),
                    _ => right(q, k, v, heads, dim, keep),
                }
            }),
        ),
        wrong(
            "nothing refused",
            "a batch without sequences, or without positions, is refused; by candle, if its maximum is taken (\"empty tensor for reduce\"). It has no outputs, and that is fine.",
            Box::new(move |q, k, v, heads, dim, keep| {
                if q.elem_count() == 0 {
                    bail!("nothing to attend to");
                }
                right(q, k, v, heads, dim, keep)
            }),
        ),
        wrong(
            "no padding expected",
            "a sequence of nothing but padding is refused. It should get finite numbers that nobody reads.",
            Box::new({
                let right = attention(Steps::right(), sees, causal);
                move |q, k, v, heads, dim, keep| {
                    let out = right(q, k, v, heads, dim, keep)?;
                    if keep.elem_count() > 0 && keep.max(D::Minus1)?.to_vec1::<u8>()?.contains(&0) {
                        bail!("a sequence of padding");
                    }
                    Ok(out)
                }
            }),
        ),
    ]
}

/// A causal mask, u8.
fn triangle(seq: usize) -> Result<Tensor> {
    Tensor::tril2(seq, DType::U8, &Device::Cpu)
}

/// Attention under a mask that `shape` gives to keep: what candle makes of it when it broadcasts.
fn shaped(causal: bool, shape: fn(&Tensor) -> Result<Tensor>) -> Box<Padded> {
    Box::new(move |q, k, v, heads, dim, keep| {
        fits(q, keep)?;
        let sizes = Steps::right().fit([q, k, v], Sizes { heads, dim })?;
        let keep = shape(&keep.ne(0u8)?)?;
        let mask = match causal && q.elem_count() > 0 {
            true => keep.broadcast_mul(&triangle(q.dim(1)?)?)?,
            false => keep,
        };
        Steps::right().run([q, k, v], sizes, &mask)
    })
}

/// What goes wrong when the mask is a tensor of one's own, and not an option of a call that says what it wants.
fn shapes(causal: bool) -> Vec<Wrong<Padded>> {
    let wrong = |name, diagnosis, answer: Box<Padded>| Wrong { name, diagnosis, answer };
    vec![
        wrong(
            "mask without heads and queries",
            "the mask is `(batch, seq)`, and the scores are `(batch, heads, seq, seq)`: it broadcasts from the right, so its sequences would be queries. It takes a 1 for heads and one for queries, `(batch, 1, 1, seq)`: `keys` gives them.",
            shaped(causal, |keep| Ok(keep.clone())),
        ),
        wrong(
            "mask without heads",
            "the mask is `(batch, 1, seq)`, and the scores are `(batch, heads, seq, seq)`: it broadcasts from the right, so its sequences would be heads. It takes a 1 for heads *and* one for queries, `(batch, 1, 1, seq)`: `keys` gives them.",
            shaped(causal, |keep| keep.unsqueeze(1)),
        ),
    ]
}

fn all(causal: bool) -> Vec<Wrong<Padded>> {
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
    let steps = faults().into_iter().chain(mask_faults()).map(step);
    masks.chain(steps).chain(others(causal)).collect()
}

pub fn eager_bidirectional() -> Vec<Wrong<Padded>> {
    all(false).into_iter().chain(shapes(false)).collect()
}

pub fn eager_causal() -> Vec<Wrong<Padded>> {
    all(true).into_iter().chain(shapes(true)).collect()
}

pub fn sdpa_bidirectional() -> Vec<Wrong<Padded>> {
    all(false)
}

pub fn sdpa_causal() -> Vec<Wrong<Padded>> {
    all(true)
}

/// Six variants that agree, but for one.
pub fn six_variants() -> Vec<Wrong<Six>> {
    let six = |change: fn(&mut Six)| {
        let padded =
            [false, true, false, true].map(|causal| attention(Steps::right(), sees, causal));
        let mut six = Six { padded, ragged: [false, true].map(ragged::right) };
        change(&mut six);
        Box::new(six)
    };
    let wrong = |name, diagnosis, change| Wrong { name, diagnosis, answer: six(change) };
    vec![
        wrong(
            "eager, the two exchanged",
            "`eager_bidirectional` and `eager_causal` were passed in the wrong order.",
            |six| six.padded.swap(0, 1),
        ),
        wrong(
            "sdpa, the two exchanged",
            "`sdpa_bidirectional` and `sdpa_causal` were passed in the wrong order.",
            |six| six.padded.swap(2, 3),
        ),
        wrong(
            "flash, the two exchanged",
            "`flash_bidirectional` and `flash_causal` were passed in the wrong order.",
            |six| six.ragged.swap(0, 1),
        ),
        wrong(
            "eager sees padding",
            "`eager_bidirectional` sees padding, where the others do not: the mask is not used.",
            |six| six.padded[0] = attention(Steps::right(), masks()[0].2, false),
        ),
        wrong(
            "sdpa sees the future",
            "`sdpa_causal` sees the future, where the others do not.",
            |six| six.padded[3] = attention(Steps::right(), sees, false),
        ),
        wrong(
            "sdpa does not scale",
            "`sdpa_bidirectional` does not divide the scores by √head_dim.",
            |six| six.padded[2] = attention(Steps { scale: |_| 1., ..Steps::right() }, sees, false),
        ),
        wrong(
            "flash sees other sequences",
            "`flash_bidirectional` takes all tokens for one sequence: `cu_seqlens` is not used.",
            |six| six.ragged[0] = ragged::one_sequence(false),
        ),
        wrong(
            "flash causal over all sequences",
            "`flash_causal` takes all tokens for one sequence: `cu_seqlens` is not used.",
            |six| six.ragged[1] = ragged::one_sequence(true),
        ),
    ]
}
