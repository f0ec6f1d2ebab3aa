//! Wrong ways out of padding and back.

use super::{Wrong, ints, wrong};
use crate::varlen::{Pad, Parts, Unpad};
use candle_core::{D, DType, Device, Result, Tensor, bail};

/// The mask's rows, if `x` fits it.
fn rows(x: &Tensor, keep: &Tensor) -> Result<Vec<Vec<bool>>> {
    let (batch, seq) = keep.dims2()?;
    if x.rank() < 2 || x.dims()[..2] != [batch, seq] {
        bail!("keep and x do not fit");
    }
    let keep = keep.flatten_all()?.to_vec1::<u8>()?;
    Ok((0..batch).map(|b| (0..seq).map(|s| keep[b * seq + s] != 0).collect()).collect())
}

/// Where the real tokens stand, counted through the batch.
fn places(rows: &[Vec<bool>]) -> Vec<u32> {
    let real = rows.concat().into_iter().zip(0u32..).filter(|(real, _)| *real);
    real.map(|(_, at)| at).collect()
}

fn lengths(rows: &[Vec<bool>]) -> Vec<u32> {
    rows.iter().map(|row| row.iter().filter(|&&real| real).count() as u32).collect()
}

fn ends(lengths: &[u32]) -> Vec<u32> {
    let mut ends = vec![0];
    lengths.iter().for_each(|length| ends.push(ends[ends.len() - 1] + length));
    ends
}

fn longest(lengths: &[u32]) -> usize {
    lengths.iter().copied().max().unwrap_or(0) as usize
}

/// The tokens at these places.
fn pick(x: &Tensor, places: &[u32]) -> Result<Tensor> {
    let flat = x.flatten(0, 1)?;
    match places.is_empty() {
        true => flat.narrow(0, 0, 0),
        false => flat.index_select(&ints(places.to_vec())?, 0),
    }
}

/// The four parts, for tokens at these places.
fn parts(x: &Tensor, rows: &[Vec<bool>], at: &[u32]) -> Result<Parts> {
    let lengths = lengths(rows);
    Ok(([pick(x, at)?, ints(at.to_vec())?, ints(ends(&lengths))?], longest(&lengths)))
}

fn right(x: &Tensor, keep: &Tensor) -> Result<Parts> {
    let rows = rows(x, keep)?;
    parts(x, &rows, &places(&rows))
}

pub fn unpad() -> Vec<Wrong<Unpad>> {
    vec![
        wrong!(
            "mask reversed",
            "the padding is kept and the real tokens are dropped. Not 0 means real.",
            |x, keep| {
                let rows: Vec<Vec<bool>> = rows(x, keep)?
                    .iter()
                    .map(|row| row.iter().map(|real| !real).collect())
                    .collect();
                parts(x, &rows, &places(&rows))
            }
        ),
        wrong!(
            "the first ones",
            "the first tokens of each sequence are taken, as many as are real. That is right only if the padding is at the end. The mask says which tokens are real.",
            |x, keep| {
                let rows = rows(x, keep)?;
                let seq = x.dim(1)? as u32;
                let first = (0..).zip(lengths(&rows)).flat_map(|(row, n)| row * seq..row * seq + n);
                parts(x, &rows, &first.collect::<Vec<u32>>())
            }
        ),
        wrong!(
            "up to the first 0",
            "a sequence is assumed to end at its first padding, but padding may be at the start or in the middle. Count everything that is not 0.",
            |x, keep| {
                let mut rows = rows(x, keep)?;
                for row in &mut rows {
                    let end = row.iter().position(|real| !real).unwrap_or(row.len());
                    row[end..].fill(false);
                }
                parts(x, &rows, &places(&rows))
            }
        ),
        wrong!(
            "indices within the sequence",
            "the indices start again in each sequence. They should count through the whole padded batch, as sequence · seq + position, or `pad` cannot tell the sequences apart.",
            |x, keep| {
                let seq = x.dim(1)?.max(1) as u32;
                let ([tokens, indices, cu], max) = right(x, keep)?;
                let within = indices.to_vec1::<u32>()?.into_iter().map(|at| at % seq).collect();
                Ok(([tokens, ints(within)?, cu], max))
            }
        ),
        wrong!(
            "indices in the packed batch",
            "the indices are 0, 1, 2, …, the places in the packed batch. They should say where each token stood in the padded one.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                let total = indices.dim(0)? as u32;
                Ok(([tokens, ints((0..total).collect())?, cu], max))
            }
        ),
        wrong!(
            "position by position",
            "the first tokens of all sequences come first, then the second ones. A sequence's tokens should stay together, one sequence after another.",
            |x, keep| {
                let rows = rows(x, keep)?;
                let seq = x.dim(1)?.max(1) as u32;
                let mut at = places(&rows);
                at.sort_by_key(|at| (at % seq, at / seq));
                parts(x, &rows, &at)
            }
        ),
        wrong!(
            "longest first",
            "the sequences are sorted by length, as PyTorch's `pack_padded_sequence` expects by default. Here they keep their order.",
            |x, keep| {
                let rows = rows(x, keep)?;
                let seq = x.dim(1)?.max(1) as u32;
                let mut lengths = lengths(&rows);
                let mut at = places(&rows);
                at.sort_by_key(|at| (std::cmp::Reverse(lengths[(at / seq) as usize]), *at));
                lengths.sort_unstable_by(|a, b| b.cmp(a));
                Ok(([pick(x, &at)?, ints(at)?, ints(ends(&lengths))?], longest(&lengths)))
            }
        ),
        wrong!(
            "lengths for cu_seqlens",
            "`cu_seqlens` holds the lengths, but it should hold where each sequence begins, summed up from 0. If your function `cu_seqlens` made it, make that pass its own check first.",
            |x, keep| {
                let ([tokens, indices, _], max) = right(x, keep)?;
                Ok(([tokens, indices, ints(lengths(&rows(x, keep)?))?], max))
            }
        ),
        wrong!(
            "no leading 0",
            "`cu_seqlens` lacks the 0 in front: it has `batch + 1` numbers. If your function `cu_seqlens` made it, make that pass its own check first.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                Ok(([tokens, indices, cu.narrow(0, 1, cu.dim(0)? - 1)?], max))
            }
        ),
        wrong!(
            "padded cu_seqlens",
            "`cu_seqlens` counts the padding, too: in the packed batch a sequence begins where the one before ends.",
            |x, keep| {
                let ([tokens, indices, _], max) = right(x, keep)?;
                let (batch, seq) = keep.dims2()?;
                let cu = ints((0..=batch).map(|at| (at * seq) as u32).collect())?;
                Ok(([tokens, indices, cu], max))
            }
        ),
        wrong!(
            "empty sequences left out",
            "a sequence of padding alone has no entry in `cu_seqlens`: it begins and ends at the same place, and keeps its number. `batch + 1` numbers, always.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                let mut ends = cu.to_vec1::<u32>()?;
                ends.dedup();
                Ok(([tokens, indices, ints(ends)?], max))
            }
        ),
        wrong!(
            "one row stretched",
            "a mask of one row is stretched over the whole batch: `keep` says which tokens are real of *each* sequence. Compare its shape with x's, dimension by dimension.",
            |x, keep| match keep.dims() {
                [1, seq] if x.rank() >= 2 && x.dim(1)? == *seq => {
                    right(x, &keep.broadcast_as((x.dim(0)?, *seq))?)
                }
                _ => right(x, keep),
            }
        ),
        wrong!(
            "seq for max_seqlen",
            "`max_seqlen` is the width of the padded batch: the longest sequence may be shorter.",
            |x, keep| {
                let (parts, _) = right(x, keep)?;
                Ok((parts, x.dim(1)?))
            }
        ),
        wrong!(
            "total for max_seqlen",
            "`max_seqlen` is the number of all tokens, but it should be the length of the longest sequence. If your function `max_seqlen` says so, make that pass its own check first.",
            |x, keep| {
                let (parts, _) = right(x, keep)?;
                let total = parts[0].dim(0)?;
                Ok((parts, total))
            }
        ),
        wrong!("only 1 is real", "only a 1 counts as real: every number but 0 does.", |x, keep| {
            right(x, &keep.eq(1u8)?)
        }),
        wrong!(
            "the mask summed",
            "the lengths are sums of the mask, so a number above 1 counts more than once. Count the entries that are not 0.",
            |x, keep| {
                let ([tokens, indices, _], _) = right(x, keep)?;
                let sums: Vec<u32> = match keep.elem_count() {
                    0 => vec![0; keep.dim(0)?],
                    _ => keep.to_dtype(DType::U32)?.sum(D::Minus1)?.to_vec1()?,
                };
                Ok(([tokens, indices, ints(ends(&sums))?], longest(&sums)))
            }
        ),
        wrong!(
            "the mask summed in u8",
            "the lengths are sums of the mask, and in u8 they wrap at 256. Count the entries that are not 0.",
            |x, keep| {
                let ([tokens, indices, _], _) = right(x, keep)?;
                let keep: Vec<Vec<u8>> = keep.to_vec2()?;
                let sum = |row: &Vec<u8>| row.iter().fold(0u8, |sum, &one| sum.wrapping_add(one));
                let sums: Vec<u32> = keep.iter().map(|row| u32::from(sum(row))).collect();
                Ok(([tokens, indices, ints(ends(&sums))?], longest(&sums)))
            }
        ),
        wrong!(
            "lengths summed in u8",
            "the lengths are sums of a u8 mask, and a sum keeps that type: 300 real tokens wrap to 44. Count in a larger type, or with `count()`.",
            |x, keep| {
                let ([tokens, indices, _], _) = right(x, keep)?;
                let sums: Vec<u32> =
                    lengths(&rows(x, keep)?).into_iter().map(|length| length % 256).collect();
                Ok(([tokens, indices, ints(ends(&sums))?], longest(&sums)))
            }
        ),
        wrong!(
            "padding zeroed, not removed",
            "the padding is set to 0, but it is still there. Only the real tokens should remain; `index_select` picks them.",
            |x, keep| {
                let (parts, max) = right(x, keep)?;
                let ones = vec![1; x.rank() - 2];
                let real = keep.ne(0u8)?.reshape([keep.dims(), &ones].concat())?;
                let real = real.broadcast_as(x.shape())?;
                let [_, indices, cu] = parts;
                Ok(([real.where_cond(x, &x.zeros_like()?)?.flatten(0, 1)?, indices, cu], max))
            }
        ),
        wrong!(
            "one dimension per token",
            "the numbers of a token are flattened to one dimension: `(total, …)` keeps all dimensions after the first two.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                let total = tokens.dim(0)?;
                let each: usize = x.dims()[2..].iter().product();
                Ok(([tokens.reshape((total, each))?, indices, cu], max))
            }
        ),
        wrong!(
            "three dimensions only",
            "x is required to have three dimensions, but token ids have two, and heads four. The first two are batch and seq, and the rest belongs to the token.",
            |x, keep| {
                x.dims3()?;
                right(x, keep)
            }
        ),
        wrong!(
            "i64 indices",
            "the indices are i64. Everything that counts tokens is u32 here.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                Ok(([tokens, indices.to_dtype(DType::I64)?, cu], max))
            }
        ),
        wrong!(
            "only the count compared",
            "only the number of tokens in x and keep is compared, but a mask for (3, 2) says nothing about a batch of (2, 3). Compare the first two dimensions one by one.",
            |x, keep| {
                if x.rank() < 2 || x.dim(0)? * x.dim(1)? != keep.elem_count() {
                    bail!("keep and x do not fit");
                }
                right(x, &keep.reshape((x.dim(0)?, x.dim(1)?))?)
            }
        ),
        wrong!(
            "shapes not compared",
            "x and keep are not compared: a mask of another shape picks the wrong tokens. Compare the first two dimensions of x with those of keep.",
            |x, keep| {
                let seq = x.dim(1)?;
                let keep: Vec<Vec<u8>> = keep.to_vec2()?;
                let keep: Vec<Vec<bool>> =
                    keep.iter().map(|row| row.iter().map(|&real| real != 0).collect()).collect();
                let mut at = vec![];
                for (row, keep) in keep.iter().enumerate() {
                    let real = keep.iter().enumerate().filter(|(_, real)| **real);
                    at.extend(real.map(|(place, _)| (row * seq + place) as u32));
                }
                parts(x, &keep, &at)
            }
        ),
        wrong!(
            "tokens stacked",
            "the tokens are stacked one by one. If everything is padding, there is nothing to stack, which is an error. `index_select` also accepts an empty list.",
            |x, keep| {
                let ([tokens, indices, cu], max) = right(x, keep)?;
                let each = (0..tokens.dim(0)?).map(|at| tokens.get(at));
                Ok(([Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 0)?, indices, cu], max))
            }
        ),
        wrong!(
            "x's rank not looked at",
            "it panics if x has no second dimension. Check `x.rank()` before you look at `x.dims()[..2]`.",
            |x, keep| {
                if x.dims()[..2] != *keep.dims() {
                    bail!("keep and x do not fit");
                }
                right(x, keep)
            }
        ),
        wrong!(
            "all padding refused",
            "a batch of nothing but padding is refused. It has no tokens, and that is fine.",
            |x, keep| {
                let (parts, max) = right(x, keep)?;
                if max == 0 {
                    bail!("no tokens");
                }
                Ok((parts, max))
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches x: the tokens were copied out of the graph (`to_vec…`, `detach`). `index_select` has a gradient.",
            |x, keep| right(&x.detach(), keep)
        ),
    ]
}

/// The places, if they fit tokens and batch.
fn fitting(tokens: &Tensor, indices: &Tensor, batch: usize, seq: usize) -> Result<Vec<u32>> {
    let at = indices.to_vec1::<u32>()?;
    if at.len() != tokens.dim(0)? || at.iter().any(|&at| at as usize >= batch * seq) {
        bail!("indices do not fit");
    }
    Ok(at)
}

/// Tokens put at these places of `(batch, seq, …)`; a place outside gets none.
fn put(tokens: &Tensor, at: &[u32], batch: usize, seq: usize) -> Result<Tensor> {
    let rest = &tokens.dims()[1..];
    let zeros = Tensor::zeros([&[batch * seq], rest].concat(), tokens.dtype(), &Device::Cpu)?;
    let full = match at.is_empty() {
        true => zeros,
        false => zeros.index_add(&ints(at.to_vec())?, &tokens.contiguous()?, 0)?,
    };
    full.reshape([&[batch, seq], rest].concat())
}

/// `tokens` put where `places` turns their indices.
fn moved(
    [tokens, indices]: [&Tensor; 2],
    [batch, seq]: [usize; 2],
    places: impl Fn(Vec<u32>) -> Vec<u32>,
) -> Result<Tensor> {
    let at = places(fitting(tokens, indices, batch, seq)?);
    put(tokens, &at, batch, seq)
}

/// As `right`, but with `fill(x)` in the places that are left.
fn filled(
    [tokens, indices]: [&Tensor; 2],
    [batch, seq]: [usize; 2],
    fill: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let at = fitting(tokens, indices, batch, seq)?;
    let x = put(tokens, &at, batch, seq)?;
    if x.elem_count() == 0 || at.is_empty() {
        return Ok(x);
    }
    let rest = vec![1; tokens.rank() - 1];
    let real = put(&Tensor::ones(at.len(), DType::U32, &Device::Cpu)?, &at, batch, seq)?;
    let real =
        real.ne(0u32)?.reshape([&[batch, seq][..], &rest].concat())?.broadcast_as(x.shape())?;
    real.where_cond(&x, &fill(&x)?.broadcast_as(x.shape())?)
}

pub fn pad() -> Vec<Wrong<Pad>> {
    fn right(tokens: &Tensor, indices: &Tensor, batch: usize, seq: usize) -> Result<Tensor> {
        moved([tokens, indices], [batch, seq], |at| at)
    }
    vec![
        wrong!(
            "one after the other",
            "the tokens are put into the first places, one after another, and the zeros after them. The indices say where each token belongs.",
            |tokens, indices, batch, seq| moved([tokens, indices], [batch, seq], |at| {
                (0..at.len() as u32).collect()
            })
        ),
        wrong!(
            "always to the front",
            "each sequence's tokens are put at its start, but the padding may have been there. The indices say where each token belongs.",
            |tokens, indices, batch, seq| moved([tokens, indices], [batch, seq], |at| {
                let mut count = vec![0; batch];
                at.into_iter()
                    .map(|at| {
                        let row = at as usize / seq;
                        count[row] += 1;
                        (row * seq + count[row] - 1) as u32
                    })
                    .collect()
            })
        ),
        wrong!(
            "sorted",
            "the tokens are put down in the order of their places. The i-th token belongs at the i-th index, whatever their order.",
            |tokens, indices, batch, seq| moved([tokens, indices], [batch, seq], |mut at| {
                at.sort_unstable();
                at
            })
        ),
        wrong!(
            "position by position",
            "the indices are read as position · batch + sequence: they are sequence · seq + position.",
            |tokens, indices, batch, seq| moved([tokens, indices], [batch, seq], |at| {
                let (batch, seq) = (batch as u32, seq as u32);
                at.into_iter().map(|at| at % batch * seq + at / batch).collect()
            })
        ),
        wrong!(
            "filled with the first token",
            "the remaining places hold the first token, because an index of 0 means that token and not padding. They should hold zeros.",
            |tokens, indices, batch, seq| filled([tokens, indices], [batch, seq], |_| tokens
                .get(0))
        ),
        wrong!(
            "filled with the last token",
            "the remaining places hold the last token. They should hold zeros.",
            |tokens, indices, batch, seq| filled([tokens, indices], [batch, seq], |_| {
                tokens.get(tokens.dim(0)? - 1)
            })
        ),
        wrong!(
            "filled with ones",
            "the remaining places hold ones. They should hold zeros: `index_add` adds to what it finds.",
            |tokens, indices, batch, seq| filled([tokens, indices], [batch, seq], |x| x
                .ones_like())
        ),
        wrong!(
            "added to ones",
            "the tokens are added to ones: begin with zeros, since `index_add` adds to what it finds.",
            |tokens, indices, batch, seq| {
                let x = right(tokens, indices, batch, seq)?;
                &x + x.ones_like()?
            }
        ),
        wrong!(
            "left flat",
            "the result is `(batch · seq, …)`: reshape it to `(batch, seq, …)`.",
            |tokens, indices, batch, seq| right(tokens, indices, batch, seq)?.flatten(0, 1)
        ),
        wrong!(
            "seq and batch exchanged",
            "the result is `(seq, batch, …)`: batch comes first.",
            |tokens, indices, batch, seq| {
                let rest = &tokens.dims()[1..];
                right(tokens, indices, batch, seq)?.reshape([&[seq, batch], rest].concat())
            }
        ),
        wrong!(
            "picked, not put",
            "the indices are used to pick tokens (`index_select`). They say where to *put* them (`index_add`).",
            |tokens, indices, batch, seq| {
                let at = fitting(tokens, indices, batch, seq)?;
                if at.is_empty() {
                    return put(tokens, &at, batch, seq);
                }
                let last = at.len() as u32 - 1;
                let picked =
                    tokens.index_select(&ints(at.iter().map(|&at| at.min(last)).collect())?, 0)?;
                put(&picked, &(0..=last).collect::<Vec<u32>>(), batch, seq)
            }
        ),
        wrong!(
            "a zero like the first token",
            "the zeros are made from the first token, which does not exist if everything is padding. Make them from the tokens' shape and type.",
            |tokens, indices, batch, seq| {
                tokens.narrow(0, 0, 1)?;
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "one dimension per token",
            "tokens are required to be `(total, hidden)`, but they may have more dimensions, or none of their own, as ids do.",
            |tokens, indices, batch, seq| {
                tokens.dims2()?;
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "zeros of type f32",
            "the zeros are f32, whatever the tokens are: make them of `tokens.dtype()`.",
            |tokens, indices, batch, seq| {
                let out = right(tokens, indices, batch, seq)?;
                match tokens.dtype() {
                    DType::F32 => Ok(out),
                    other => bail!("dtype mismatch in index-add, lhs: F32, rhs: {other:?}"),
                }
            }
        ),
        wrong!(
            "tokens turned into f32",
            "the result is f32, whatever the tokens are. It has the type of the tokens.",
            |tokens, indices, batch, seq| right(&tokens.to_dtype(DType::F32)?, indices, batch, seq)
        ),
        wrong!(
            "too many indices cut off",
            "if there are more tokens than indices, or fewer, the rest is dropped (`zip`). It is an error if they do not fit.",
            |tokens, indices, batch, seq| {
                let both = tokens.dim(0)?.min(indices.dim(0)?);
                right(&tokens.narrow(0, 0, both)?, &indices.narrow(0, 0, both)?, batch, seq)
            }
        ),
        wrong!(
            "index outside dropped",
            "a token whose index is outside the batch is silently dropped. Return an error.",
            |tokens, indices, batch, seq| {
                let at = indices.to_vec1::<u32>()?;
                if at.len() != tokens.dim(0)? {
                    bail!("indices do not fit");
                }
                let inside = |at: &u32| (*at as usize) < batch * seq;
                let which: Vec<u32> =
                    (0..).zip(&at).filter(|(_, at)| inside(at)).map(|(token, _)| token).collect();
                let at: Vec<u32> = at.into_iter().filter(inside).collect();
                match at.is_empty() {
                    true => put(&tokens.narrow(0, 0, 0)?, &at, batch, seq),
                    false => put(&tokens.index_select(&ints(which)?, 0)?, &at, batch, seq),
                }
            }
        ),
        wrong!(
            "u32::MAX for none",
            "an index of u32::MAX is taken for 'none', as candle's `gather` takes it, and its token is lost: here it is outside the batch, an error.",
            |tokens, indices, batch, seq| {
                let at = indices.to_vec1::<u32>()?;
                if at.contains(&u32::MAX) && at.len() == tokens.dim(0)? {
                    return put(&tokens.narrow(0, 0, 0)?, &[], batch, seq);
                }
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "views refused",
            "candle's `index_add` refuses tokens that are a view (\"index-add only supports contiguous tensors\"): `contiguous()?` first, which copies only if it must.",
            |tokens, indices, batch, seq| {
                let at = fitting(tokens, indices, batch, seq)?;
                let like = Tensor::zeros(tokens.shape(), tokens.dtype(), &Device::Cpu)?;
                if !at.is_empty() {
                    like.index_add(&ints((0..at.len() as u32).collect())?, tokens, 0)?;
                }
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "rows read in memory's order",
            "the numbers of `tokens` are read in the order in which they lie in memory: a transposed tensor comes out mixed up. `contiguous()` first, or let candle's operations read them.",
            |tokens, indices, batch, seq| {
                let out = right(tokens, indices, batch, seq)?;
                if tokens.is_contiguous() || tokens.rank() != 2 {
                    return Ok(out);
                }
                let as_it_lies = tokens.t()?.reshape(tokens.shape())?;
                right(&as_it_lies, indices, batch, seq)
            }
        ),
        wrong!(
            "index outside panics",
            "an index outside the batch makes it panic: check the indices first, and return an error.",
            |tokens, indices, batch, seq| {
                let mut taken = vec![false; batch * seq];
                indices.to_vec1::<u32>()?.into_iter().for_each(|at| taken[at as usize] = true);
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "no tokens refused",
            "a call without tokens is refused. Its result is all padding.",
            |tokens, indices, batch, seq| {
                if tokens.dim(0)? == 0 {
                    bail!("no tokens");
                }
                right(tokens, indices, batch, seq)
            }
        ),
        wrong!(
            "gradient lost",
            "the values are right, but no gradient reaches the tokens: they were copied out of the graph (`to_vec…`, `detach`, `slice_set`). `index_add` has a gradient.",
            |tokens, indices, batch, seq| right(&tokens.detach(), indices, batch, seq)
        ),
    ]
}
