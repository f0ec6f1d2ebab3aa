//! Wrong layouts: heads and tokens, queries, keys and values, the padding of a head.

use super::{Wrong, wrong};
use crate::gpu::{FlashLayout, PadHeadDim, SplitQkv};
use candle_core::{D, DType, Result, Tensor, bail};

/// The right view or copy.
fn laid_out(x: &Tensor) -> Result<Tensor> {
    x.dims4()?;
    side_by_side(&x.transpose(1, 2)?)
}

fn side_by_side(x: &Tensor) -> Result<Tensor> {
    if x.stride().last() == Some(&1) { Ok(x.clone()) } else { x.contiguous() }
}

pub fn flash_layout() -> Vec<Wrong<FlashLayout>> {
    vec![
        wrong!(
            "reshaped",
            "the shape is right, but `reshape` only cuts the same row of numbers differently: heads and tokens are mixed up. The dimensions must be swapped.",
            |x| {
                let (batch, heads, seq, head_dim) = x.dims4()?;
                x.reshape((batch, seq, heads, head_dim))
            }
        ),
        wrong!(
            "nothing swapped",
            "x comes back as it was. The kernel wants tokens before heads.",
            |x| {
                x.dims4()?;
                side_by_side(x)
            }
        ),
        wrong!(
            "seq and head_dim swapped",
            "seq and head_dim are swapped, as for the keys in Q·Kᵀ: the kernel does that itself. Swap heads and seq.",
            |x| {
                x.dims4()?;
                side_by_side(&x.transpose(2, 3)?)
            }
        ),
        wrong!(
            "heads and head_dim swapped",
            "heads and head_dim are swapped: the numbers of one head must stay together, in the last dimension.",
            |x| {
                x.dims4()?;
                side_by_side(&x.transpose(1, 3)?)
            }
        ),
        wrong!(
            "batch and heads swapped",
            "batch and heads are swapped: the batch stays first, heads and seq change places.",
            |x| {
                x.dims4()?;
                side_by_side(&x.transpose(0, 1)?)
            }
        ),
        wrong!(
            "batch and seq swapped",
            "batch and seq are swapped: the batch stays first, heads and seq change places.",
            |x| {
                x.dims4()?;
                side_by_side(&x.transpose(0, 2)?)
            }
        ),
        wrong!(
            "heads last",
            "heads went to the end, after head_dim. That rotates three dimensions, and a second call does not undo it. Only heads and seq change places.",
            |x| {
                x.dims4()?;
                side_by_side(&x.permute((0, 2, 3, 1))?)
            }
        ),
        wrong!(
            "heads combined",
            "heads and head_dim became one dimension: the kernel wants both, (batch, seq, heads, head_dim).",
            |x| laid_out(x)?.flatten_from(2)
        ),
        wrong!(
            "always copied",
            "all numbers are copied, though a view would do: the kernel takes any strides but the last. Copy only when the last stride is not 1.",
            |x| {
                x.dims4()?;
                x.transpose(1, 2)?.contiguous()
            }
        ),
        wrong!(
            "copied with the change of layout undone",
            "a view is copied as soon as it isn't contiguous as a whole, even if the numbers of each head lie side by side. Only the last stride must be 1.",
            |x| {
                x.dims4()?;
                x.contiguous()?.transpose(1, 2)
            }
        ),
        wrong!(
            "copied when x is not contiguous",
            "whether to copy is decided by x as a whole. After the swap, only the last stride counts: if it is 1, no copy is needed, whatever the other strides are.",
            |x| {
                x.dims4()?;
                let swapped = x.transpose(1, 2)?;
                if x.is_contiguous() { Ok(swapped) } else { swapped.contiguous() }
            }
        ),
        wrong!(
            "heads last, as a view",
            "heads went to the end, after head_dim, so that the numbers of a head lie apart. Only heads and seq change places.",
            |x| {
                x.dims4()?;
                x.permute((0, 2, 3, 1))
            }
        ),
        wrong!(
            "never copied",
            "the numbers of a head are left apart. The kernel refuses a last stride that is not 1: then, and only then, a copy is needed.",
            |x| {
                x.dims4()?;
                x.transpose(1, 2)
            }
        ),
        wrong!(
            "refused instead of copied",
            "it is an error here if the numbers of a head do not lie side by side. Return a copy in which they do.",
            |x| match laid_out(x)? {
                out if x.stride()[3] == 1 => Ok(out),
                _ => bail!("the last dimension is not contiguous"),
            }
        ),
        wrong!(
            "any rank",
            "x of another rank is accepted: three or five dimensions have two to swap as well, and the kernel would read something else. Ask for four with `dims4()?`.",
            |x| side_by_side(&x.transpose(1, 2)?)
        ),
        wrong!(
            "detached",
            "the result is detached: it reads the right memory, but no gradient finds its way back to x.",
            |x| Ok(laid_out(x)?.detach())
        ),
        wrong!(
            "half precision at once",
            "the numbers are rounded to f16. The layout has nothing to do with their type; another function chooses that.",
            |x| laid_out(&x.to_dtype(DType::F16)?)
        ),
        wrong!(
            "empty refused",
            "a tensor without numbers is refused. It has a shape, and its dimensions can be swapped like any other's.",
            |x| match x.elem_count() {
                0 => bail!("nothing to lay out"),
                _ => laid_out(x),
            }
        ),
    ]
}

/// Three parts of the heads, which begin at these places.
fn parts(qkv: &Tensor, at: [(usize, usize); 3]) -> Result<[Tensor; 3]> {
    let [q, k, v] = at.map(|(from, count)| qkv.narrow(1, from, count));
    Ok([q?, k?, v?])
}

fn fits(qkv: &Tensor, heads_q: usize, heads_kv: usize) -> Result<()> {
    match qkv.dims3()? {
        (_, heads, _) if heads == heads_q + 2 * heads_kv => Ok(()),
        _ => bail!("the heads do not add up"),
    }
}

/// The right three.
fn split(qkv: &Tensor, heads_q: usize, heads_kv: usize) -> Result<[Tensor; 3]> {
    fits(qkv, heads_q, heads_kv)?;
    parts(qkv, [(0, heads_q), (heads_q, heads_kv), (heads_q + heads_kv, heads_kv)])
}

/// Each of the three, changed.
fn each(parts: [Tensor; 3], change: impl Fn(Tensor) -> Result<Tensor>) -> Result<[Tensor; 3]> {
    let [q, k, v] = parts.map(change);
    Ok([q?, k?, v?])
}

/// The heads at these places.
fn picked(qkv: &Tensor, heads: Vec<usize>) -> Result<Tensor> {
    let one = |head: &usize| qkv.narrow(1, *head, 1);
    Tensor::cat(&heads.iter().map(one).collect::<Result<Vec<_>>>()?, 1)
}

pub fn split_qkv() -> Vec<Wrong<SplitQkv>> {
    vec![
        wrong!(
            "k and v swapped",
            "keys and values are swapped: the order is queries, keys, values.",
            |qkv, heads_q, heads_kv| {
                let [q, k, v] = split(qkv, heads_q, heads_kv)?;
                Ok([q, v, k])
            }
        ),
        wrong!(
            "keys and values first",
            "the keys' heads are assumed to come first, then the values', then the queries'. The order is queries, keys, values.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                parts(qkv, [(2 * heads_kv, heads_q), (0, heads_kv), (heads_kv, heads_kv)])
            }
        ),
        wrong!(
            "group by group",
            "the heads are assumed to come group by group: queries, key and value of the first group, then those of the second. Here all heads of the queries come first, then all of the keys, then all of the values.",
            |qkv, heads_q, heads_kv| {
                let right = split(qkv, heads_q, heads_kv)?;
                if heads_kv < 2 || qkv.elem_count() == 0 {
                    return Ok(right);
                }
                let group = heads_q / heads_kv;
                let at = |one: usize, more: usize| one * (group + 2) + more;
                let q = (0..heads_q).map(|head| at(head / group, head % group)).collect();
                let every = |more| (0..heads_kv).map(|one| at(one, more)).collect();
                Ok([picked(qkv, q)?, picked(qkv, every(group))?, picked(qkv, every(group + 1))?])
            }
        ),
        wrong!(
            "cut into thirds",
            "the heads are cut into three equal parts, but keys and values may have fewer than queries.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                let chunks = qkv.chunk(3, 1)?;
                match <[Tensor; 3]>::try_from(chunks) {
                    Ok(parts) => Ok(parts),
                    Err(_) => bail!("expected three parts"),
                }
            }
        ),
        wrong!(
            "all with the queries' heads",
            "keys and values are cut as if they had as many heads as queries. They have heads_kv.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                parts(qkv, [(0, heads_q), (heads_q, heads_q), (2 * heads_q, heads_q)])
            }
        ),
        wrong!(
            "keys after heads_kv",
            "the keys are assumed to begin at head heads_kv, but the queries before them have heads_q heads.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                parts(qkv, [(0, heads_q), (heads_kv, heads_kv), (heads_q + heads_kv, heads_kv)])
            }
        ),
        wrong!(
            "values where the keys are",
            "the values are cut from the same place as the keys. They come after them, from heads_q + heads_kv on.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                parts(qkv, [(0, heads_q), (heads_q, heads_kv), (heads_q, heads_kv)])
            }
        ),
        wrong!(
            "cut along head_dim",
            "each head is cut into three. It is the heads, the second dimension, that are divided; a head stays whole.",
            |qkv, heads_q, heads_kv| {
                fits(qkv, heads_q, heads_kv)?;
                let third = qkv.dim(2)? / 3;
                let part = |n: usize| qkv.narrow(2, n * third, third);
                Ok([part(0)?, part(1)?, part(2)?])
            }
        ),
        wrong!(
            "copied",
            "the three parts are copied: `narrow` alone gives views, and the kernel takes their strides.",
            |qkv, heads_q, heads_kv| {
                let parts = split(qkv, heads_q, heads_kv)?;
                each(parts, |part| match part.elem_count() {
                    0 => Ok(part),
                    _ => part.contiguous(),
                })
            }
        ),
        wrong!(
            "keys and values repeated",
            "the heads of keys and values are repeated to as many as queries have: that is a copy, and the kernel shares them itself.",
            |qkv, heads_q, heads_kv| {
                let [q, k, v] = split(qkv, heads_q, heads_kv)?;
                let group = heads_q / heads_kv.max(1);
                if group < 2 || qkv.elem_count() == 0 {
                    return Ok([q, k, v]);
                }
                let all: Vec<usize> = (0..heads_q).map(|head| head / group).collect();
                Ok([q, picked(&k, all.clone())?, picked(&v, all)?])
            }
        ),
        wrong!(
            "left-over heads ignored",
            "heads that are left over are silently ignored, or go to the values. They mean that the given numbers of heads do not belong to this tensor: compare them with qkv's own first.",
            |qkv, heads_q, heads_kv| {
                qkv.dims3()?;
                parts(qkv, [(0, heads_q), (heads_q, heads_kv), (heads_q + heads_kv, heads_kv)])
            }
        ),
        wrong!(
            "cut from both ends",
            "the values are cut from the end, and the heads are never counted: when there are too few, keys and values overlap. Compare the numbers of heads with qkv's own first.",
            |qkv, heads_q, heads_kv| {
                let (_, heads, _) = qkv.dims3()?;
                let Some(before) = heads.checked_sub(heads_kv) else { bail!("too few heads") };
                parts(qkv, [(0, heads_q), (heads_q, heads_kv), (before, heads_kv)])
            }
        ),
        wrong!(
            "a panic for what does not fit",
            "heads that don't add up cause a panic. Return an error that says what was expected: `bail!` instead of `assert!`.",
            |qkv, heads_q, heads_kv| {
                let (_, heads, _) = qkv.dims3()?;
                assert_eq!(heads, heads_q + 2 * heads_kv);
                split(qkv, heads_q, heads_kv)
            }
        ),
        wrong!(
            "any rank",
            "a batch dimension is accepted. Packed tokens have three dimensions, (total, heads, head_dim), and `dims3()?` checks that.",
            |qkv, heads_q, heads_kv| match qkv.rank() {
                4 => {
                    let heads = qkv.narrow(2, 0, heads_q + 2 * heads_kv)?;
                    let part = |from, count| heads.narrow(2, from, count);
                    let (k_at, v_at) = (heads_q, heads_q + heads_kv);
                    Ok([part(0, heads_q)?, part(k_at, heads_kv)?, part(v_at, heads_kv)?])
                }
                _ => split(qkv, heads_q, heads_kv),
            }
        ),
        wrong!(
            "a lone head squeezed",
            "with a single head, its dimension disappears. The kernel always wants three dimensions.",
            |qkv, heads_q, heads_kv| {
                let parts = split(qkv, heads_q, heads_kv)?;
                each(parts, |part| if part.dim(1)? == 1 { part.squeeze(1) } else { Ok(part) })
            }
        ),
        wrong!(
            "heads first",
            "heads come before tokens, as for a matrix of scores. The kernel wants (total, heads, head_dim), as in qkv.",
            |qkv, heads_q, heads_kv| each(split(qkv, heads_q, heads_kv)?, |part| part
                .transpose(0, 1))
        ),
        wrong!(
            "detached",
            "the parts are detached: the memory is the right one, but no gradient finds its way back to qkv.",
            |qkv, heads_q, heads_kv| each(split(qkv, heads_q, heads_kv)?, |part| Ok(part.detach()))
        ),
        wrong!(
            "turned into f32",
            "the parts are converted to f32. They should keep qkv's type.",
            |qkv, heads_q, heads_kv| {
                let parts = split(qkv, heads_q, heads_kv)?;
                each(parts, |part| match part.elem_count() {
                    0 => Ok(part),
                    _ => part.to_dtype(DType::F32),
                })
            }
        ),
    ]
}

/// The right padding.
fn padded(x: &Tensor) -> Result<Tensor> {
    padded_to(x, 8)
}

/// Zeros behind, up to a multiple of `of`.
fn padded_to(x: &Tensor, of: usize) -> Result<Tensor> {
    let head_dim = x.dim(D::Minus1)?;
    behind(x, head_dim.next_multiple_of(of))
}

/// Zeros behind, up to `wide`.
fn behind(x: &Tensor, wide: usize) -> Result<Tensor> {
    x.pad_with_zeros(D::Minus1, 0, wide - x.dim(D::Minus1)?)
}

/// How many numbers are missing.
fn missing(x: &Tensor) -> Result<usize> {
    let head_dim = x.dim(D::Minus1)?;
    Ok(head_dim.next_multiple_of(8) - head_dim)
}

pub fn pad_head_dim() -> Vec<Wrong<PadHeadDim>> {
    vec![
        wrong!(
            "zeros in front",
            "the zeros come before the numbers. They belong at the end, where they are cut off later.",
            |x| x.pad_with_zeros(D::Minus1, missing(x)?, 0)
        ),
        wrong!(
            "zeros on both sides",
            "the zeros are divided between both sides. All of them belong at the end, where they are cut off later.",
            |x| {
                let missing = missing(x)?;
                x.pad_with_zeros(D::Minus1, missing / 2, missing - missing / 2)
            }
        ),
        wrong!(
            "ones",
            "the padding is ones: with queries and keys both padded, each of them adds 1 to every score. Zeros add nothing.",
            |x| match missing(x)? {
                0 => Ok(x.clone()),
                missing => {
                    let shape = [&x.dims()[..x.rank() - 1], &[missing]].concat();
                    let ones = Tensor::ones(shape, x.dtype(), x.device())?;
                    Tensor::cat(&[x, &ones], D::Minus1)
                }
            }
        ),
        wrong!(
            "the last number repeated",
            "the last number is repeated: it would be counted several times in every score. Zeros add nothing.",
            |x| match x.elem_count() {
                0 => padded(x),
                _ => x.pad_with_same(D::Minus1, 0, missing(x)?),
            }
        ),
        wrong!(
            "a multiple of 4",
            "this is padded to a multiple of 4. The kernel wants a multiple of 8.",
            |x| padded_to(x, 4)
        ),
        wrong!(
            "a multiple of 16",
            "this is padded to a multiple of 16: a multiple of 8 is enough for the kernel, more costs time and memory.",
            |x| padded_to(x, 16)
        ),
        wrong!(
            "a multiple of 32",
            "this is padded to a multiple of 32: a multiple of 8 is enough for the kernel, more costs time and memory.",
            |x| padded_to(x, 32)
        ),
        wrong!(
            "a power of two",
            "this is padded to a power of two: the kernel takes every multiple of 8, and 24 is one.",
            |x| match x.dim(D::Minus1)? {
                0 => Ok(x.clone()),
                head_dim => behind(x, head_dim.next_power_of_two().max(8)),
            }
        ),
        wrong!(
            "up to 8 only",
            "only head dims below 8 are padded. 9 is not a multiple of 8 either.",
            |x| if x.dim(D::Minus1)? < 8 { padded(x) } else { Ok(x.clone()) }
        ),
        wrong!(
            "eight more",
            "eight zeros are added to a head dim that is already a multiple of 8: there, 8 − head_dim % 8 is 8, and should be 0.",
            |x| match x.dim(D::Minus1)? {
                0 => Ok(x.clone()),
                head_dim => behind(x, head_dim + 8 - head_dim % 8),
            }
        ),
        wrong!(
            "as many zeros as numbers are over",
            "head_dim % 8 zeros are added. That is how far head_dim is above the last multiple of 8; what is needed is how far it is below the next.",
            |x| {
                let head_dim = x.dim(D::Minus1)?;
                behind(x, head_dim + head_dim % 8)
            }
        ),
        wrong!(
            "cut off",
            "the numbers above a multiple of 8 are cut off, and lost. Add zeros up to the next multiple instead.",
            |x| match x.dim(D::Minus1)? {
                head_dim if head_dim < 8 => padded(x),
                head_dim => x.narrow(D::Minus1, 0, head_dim / 8 * 8),
            }
        ),
        wrong!(
            "the second-last dimension too",
            "the dimension before the last is padded, too: that adds tokens or heads. Only head_dim must be a multiple of 8.",
            |x| match x.rank() {
                0 | 1 => padded(x),
                rank => {
                    let before = x.dim(rank - 2)?;
                    padded(&x.pad_with_zeros(rank - 2, 0, before.next_multiple_of(8) - before)?)
                }
            }
        ),
        wrong!(
            "the first dimension",
            "the first dimension is padded: head_dim is the last one, `D::Minus1`.",
            |x| {
                let first = x.dim(0)?;
                x.pad_with_zeros(0, 0, first.next_multiple_of(8) - first)
            }
        ),
        wrong!(
            "four dimensions only",
            "only four dimensions are accepted, but packed tensors have three, and x may have any number from 1 on. The last one is `D::Minus1`.",
            |x| {
                x.dims4()?;
                padded(x)
            }
        ),
        wrong!(
            "copied although nothing is missing",
            "a head dim that is already a multiple of 8 is copied. Return x itself, `x.clone()`, which shares its memory.",
            |x| match missing(x)? {
                0 if x.elem_count() > 0 => x.copy(),
                _ => padded(x),
            }
        ),
        wrong!(
            "zeros in f32",
            "the zeros are f32 whatever x is, and two types cannot be joined. Use `x.dtype()`, or `pad_with_zeros`, which does.",
            |x| match missing(x)? {
                0 => Ok(x.clone()),
                missing => {
                    let shape = [&x.dims()[..x.rank() - 1], &[missing]].concat();
                    Tensor::cat(&[x, &Tensor::zeros(shape, DType::F32, x.device())?], D::Minus1)
                }
            }
        ),
        wrong!(
            "turned into f32",
            "the result is f32 whatever x is. Padding should keep the type.",
            |x| padded(x)?.to_dtype(DType::F32)
        ),
        wrong!("no dimension of 0", "0 becomes 8: it is a multiple of 8 itself, and stays.", |x| {
            match x.dim(D::Minus1)? {
                0 => behind(x, 8),
                _ => padded(x),
            }
        }),
        wrong!(
            "a panic for a lone number",
            "a scalar makes it panic, because it has no last dimension. `x.dim(D::Minus1)?` returns an error instead.",
            |x| {
                let last = x.dims()[x.rank() - 1];
                behind(x, last.next_multiple_of(8))
            }
        ),
        wrong!("detached", "the result is detached: no gradient finds its way back to x.", |x| Ok(
            padded(x)?.detach()
        )),
    ]
}
