//! Wrong ablations.

use super::{Result, Tensor, Wrong, bail, wrong};
use crate::inside_heads::Ablate;

/// An error when there is no such head; whether there is anything to do.
fn there(heads: &Tensor, head: usize) -> Result<bool> {
    let (_, num_heads, _, _) = heads.dims4()?;
    if head >= num_heads {
        bail!("head: expected a number below {num_heads}");
    }
    Ok(heads.elem_count() > 0)
}

/// The heads with number `at` of dimension `dim` replaced by `instead`, which broadcasts to it.
fn put(heads: &Tensor, dim: usize, at: usize, instead: &Tensor) -> Result<Tensor> {
    let slices = (0..heads.dim(dim)?).map(|slice| {
        let own = heads.narrow(dim, slice, 1)?;
        if slice == at { instead.broadcast_as(own.shape()) } else { Ok(own) }
    });
    Tensor::cat(&slices.collect::<Result<Vec<_>>>()?, dim)
}

/// A right answer but for what takes the head's place, made from the head, all heads and `keep_mean`.
fn with(
    instead: impl Fn(&Tensor, &Tensor, bool) -> Result<Tensor> + 'static,
) -> impl Fn(&Tensor, usize, bool) -> Result<Tensor> {
    move |heads, head, keep_mean| {
        if !there(heads, head)? {
            return Ok(heads.clone());
        }
        put(heads, 1, head, &instead(&heads.narrow(1, head, 1)?, heads, keep_mean)?)
    }
}

/// What rightly takes the place of `one` head.
fn right(one: &Tensor, keep_mean: bool) -> Result<Tensor> {
    if keep_mean { one.mean_keepdim((0, 2)) } else { one.zeros_like() }
}

pub fn ablate_head() -> Vec<Wrong<Ablate>> {
    vec![
        wrong!(
            "all others ablated",
            "all heads but this one were switched off: it is the other way round.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                let mut out = right(heads, keep_mean)?.broadcast_as(heads.shape())?;
                out = put(&out.contiguous()?, 1, head, &heads.narrow(1, head, 1)?)?;
                Ok(out)
            }
        ),
        wrong!(
            "head left out",
            "the head is missing from the result, which has a head less: something must stand in its place, or the heads after it move.",
            |heads, head, _| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                let after = heads.dim(1)? - head - 1;
                Tensor::cat(&[heads.narrow(1, 0, head)?, heads.narrow(1, head + 1, after)?], 1)
            }
        ),
        wrong!(
            "a token ablated",
            "a token was switched off in all heads: the heads are dimension 1, the tokens dimension 2.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                let at = head.min(heads.dim(2)? - 1);
                put(heads, 2, at, &right(&heads.narrow(2, at, 1)?, keep_mean)?)
            }
        ),
        wrong!(
            "a number of each head ablated",
            "one number of every head was switched off: the heads are dimension 1, their numbers dimension 3.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                let at = head.min(heads.dim(3)? - 1);
                put(heads, 3, at, &right(&heads.narrow(3, at, 1)?, keep_mean)?)
            }
        ),
        wrong!(
            "multiplied by 0",
            "the head is multiplied by 0: where it is infinite or NaN, that is NaN, and the head is not off. Put zeros in its place.",
            with(|one, _, keep_mean| if keep_mean { right(one, true) } else { one * 0. })
        ),
        wrong!(
            "keep_mean inverted",
            "zeros came where the mean was asked for, and the mean where zeros were.",
            with(|one, _, keep_mean| right(one, !keep_mean))
        ),
        wrong!(
            "keep_mean ignored",
            "the head becomes 0 although its mean was asked for.",
            with(|one, _, _| right(one, false))
        ),
        wrong!(
            "mean over tokens only",
            "each sequence keeps a mean of its own, so the head still says which sequence it saw: take the mean over the batch, too.",
            with(|one, _, keep_mean| match keep_mean {
                true => one.mean_keepdim(2),
                false => right(one, false),
            })
        ),
        wrong!(
            "mean over the batch only",
            "each token keeps a mean of its own, so the head still says where it stood: take the mean over the tokens, too.",
            with(|one, _, keep_mean| match keep_mean {
                true => one.mean_keepdim(0),
                false => right(one, false),
            })
        ),
        wrong!(
            "mean over a token's numbers",
            "the numbers of a token were averaged with each other: each number of the head has a mean of its own, over batch and tokens.",
            with(|one, _, keep_mean| match keep_mean {
                true => one.mean_keepdim((0, 2, 3)),
                false => right(one, false),
            })
        ),
        wrong!(
            "mean over heads",
            "the head got the mean of all heads: its own mean is asked for.",
            with(|one, heads, keep_mean| match keep_mean {
                true => heads.mean_keepdim((0, 1, 2)),
                false => right(one, false),
            })
        ),
        wrong!(
            "others made larger",
            "the other heads grew to make up for the missing one, as in dropout: an ablation leaves them as they are.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                let instead = right(&heads.narrow(1, head, 1)?, keep_mean)?;
                let count = heads.dim(1)? as f64;
                let larger = (heads * (count / (count - 1.).max(1.)))?;
                put(&larger, 1, head, &instead)
            }
        ),
        wrong!(
            "heads counted from 1",
            "heads are counted from 1: head 0 is the first.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    return Ok(heads.clone());
                }
                match head.checked_sub(1) {
                    None => Ok(heads.clone()),
                    Some(at) => put(heads, 1, at, &right(&heads.narrow(1, at, 1)?, keep_mean)?),
                }
            }
        ),
        wrong!(
            "a head that is not there is ignored",
            "a head that is not there changes nothing, and nobody is told: return an error.",
            |heads, head, keep_mean| {
                let (_, num_heads, _, _) = heads.dims4()?;
                if head >= num_heads || heads.elem_count() == 0 {
                    return Ok(heads.clone());
                }
                put(heads, 1, head, &right(&heads.narrow(1, head, 1)?, keep_mean)?)
            }
        ),
        wrong!(
            "mean of nothing",
            "no tokens or no batch are an error or a panic: a mean over nothing can't be taken, but there is nothing to replace either. Hand back what came.",
            |heads, head, keep_mean| {
                if !there(heads, head)? {
                    bail!("nothing to take a mean of");
                }
                put(heads, 1, head, &right(&heads.narrow(1, head, 1)?, keep_mean)?)
            }
        ),
    ]
}
