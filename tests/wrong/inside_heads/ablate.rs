//! Wrong ablations.

use super::{Result, Tensor, Wrong, bail, wrong};
use crate::inside_heads::Ablate;

/// Errors when there is no such head, or when what stands in for it does not have its size.
fn fits(heads: &Tensor, head: usize, instead: Option<&Tensor>) -> Result<()> {
    let (_, num_heads, _, head_dim) = heads.dims4()?;
    if head >= num_heads || instead.is_some_and(|numbers| numbers.dims() != [head_dim]) {
        bail!("expected a head below {num_heads}, and {head_dim} numbers");
    }
    Ok(())
}

/// The heads with number `at` of dimension `dim` replaced by `instead`, which broadcasts to it.
fn put(heads: &Tensor, dim: usize, at: usize, instead: &Tensor) -> Result<Tensor> {
    let slices = (0..heads.dim(dim)?).map(|slice| {
        let own = heads.narrow(dim, slice, 1)?;
        if slice == at { instead.broadcast_as(own.shape()) } else { Ok(own) }
    });
    Tensor::cat(&slices.collect::<Result<Vec<_>>>()?, dim)
}

/// A right answer but for what takes the head's place, made from the head and what was given.
fn with(
    off: impl Fn(&Tensor, Option<&Tensor>) -> Result<Tensor> + 'static,
) -> impl Fn(&Tensor, usize, Option<&Tensor>) -> Result<Tensor> {
    move |heads, head, instead| {
        fits(heads, head, instead)?;
        put(heads, 1, head, &off(&heads.narrow(1, head, 1)?, instead)?)
    }
}

/// What rightly takes the place of `one` head.
fn right(one: &Tensor, instead: Option<&Tensor>) -> Result<Tensor> {
    instead.map_or_else(|| one.zeros_like(), |numbers| Ok(numbers.clone()))
}

/// A mean over batch and tokens, where there are any.
fn mean(one: &Tensor) -> Result<Tensor> {
    if one.elem_count() == 0 { one.zeros_like() } else { one.mean_keepdim((0, 2)) }
}

pub fn ablate_head() -> Vec<Wrong<Ablate>> {
    vec![
        wrong!(
            "all others ablated",
            "all heads but this one were switched off: it is the other way round.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let off = right(heads, instead)?.broadcast_as(heads.shape())?.contiguous()?;
                put(&off, 1, head, &heads.narrow(1, head, 1)?)
            }
        ),
        wrong!(
            "head left out",
            "the head is missing from the result, which has one head fewer: something must stand in its place, or the heads after it move.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let after = heads.dim(1)? - head - 1;
                Tensor::cat(&[heads.narrow(1, 0, head)?, heads.narrow(1, head + 1, after)?], 1)
            }
        ),
        wrong!(
            "a token ablated",
            "a token was switched off in all heads: the heads are dimension 1, the tokens dimension 2.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let at = head.min(heads.dim(2)?.saturating_sub(1));
                put(heads, 2, at, &right(&heads.narrow(2, 0, heads.dim(2)?.min(1))?, instead)?)
            }
        ),
        wrong!(
            "a number of each head ablated",
            "one number of every head was switched off: the heads are dimension 1, their numbers dimension 3.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let at = head.min(heads.dim(3)? - 1);
                let off = match instead {
                    Some(numbers) => numbers.narrow(0, at, 1)?,
                    None => heads.narrow(3, at, 1)?.zeros_like()?,
                };
                put(heads, 3, at, &off)
            }
        ),
        wrong!(
            "multiplied by 0",
            "the head is multiplied by 0: where it is infinite or NaN, that is NaN, and the head is not off. Put zeros in its place.",
            with(|one, instead| match instead {
                Some(numbers) => Ok(numbers.clone()),
                None => one * 0.,
            })
        ),
        wrong!(
            "instead ignored",
            "the head becomes 0 although other numbers were handed over for it.",
            with(|one, _| one.zeros_like())
        ),
        wrong!(
            "its own mean",
            "the head puts out its mean over *this* batch, later tokens included: that still says something about what is being measured. What stands in comes from elsewhere, as `instead`.",
            with(|one, instead| if instead.is_some() { mean(one) } else { one.zeros_like() })
        ),
        wrong!(
            "its own mean for zeros",
            "the head puts out its mean where zeros were asked for: without an `instead`, it is 0.",
            with(|one, instead| instead.map_or_else(|| mean(one), |numbers| Ok(numbers.clone())))
        ),
        wrong!(
            "instead added",
            "what should stand in for the head was added to what it puts out: the head still speaks.",
            with(|one, instead| match instead {
                Some(numbers) => one.broadcast_add(numbers),
                None => one.zeros_like(),
            })
        ),
        wrong!(
            "only the first token",
            "only the head's first token was replaced: the head is off for every token.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let one = heads.narrow(1, head, 1)?;
                if one.elem_count() == 0 {
                    return Ok(heads.clone());
                }
                let first = one.narrow(2, 0, 1)?;
                let off = right(&first, instead)?.broadcast_as(first.shape())?;
                let rest = one.narrow(2, 1, one.dim(2)? - 1)?;
                put(heads, 1, head, &Tensor::cat(&[off, rest], 2)?)
            }
        ),
        wrong!(
            "others made larger",
            "the other heads grew to make up for the missing one, as in dropout: an ablation leaves them as they are.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let count = heads.dim(1)? as f64;
                let larger = (heads * (count / (count - 1.).max(1.)))?;
                put(&larger, 1, head, &right(&heads.narrow(1, head, 1)?, instead)?)
            }
        ),
        wrong!(
            "heads counted from the end",
            "heads are counted from the end: head 0 is the first of dimension 1, not the last.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                let at = heads.dim(1)? - 1 - head;
                put(heads, 1, at, &right(&heads.narrow(1, at, 1)?, instead)?)
            }
        ),
        wrong!(
            "heads counted from 1",
            "heads are counted from 1: head 0 is the first.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                match head.checked_sub(1) {
                    None => Ok(heads.clone()),
                    Some(at) => put(heads, 1, at, &right(&heads.narrow(1, at, 1)?, instead)?),
                }
            }
        ),
        wrong!(
            "heads counted from 1, with one more allowed",
            "heads are counted from 1: the last number that is allowed is one too high, and all others mean the head before.",
            |heads, head, instead| {
                fits(heads, head.saturating_sub(1), instead)?;
                let at = head.saturating_sub(1);
                put(heads, 1, at, &right(&heads.narrow(1, at, 1)?, instead)?)
            }
        ),
        wrong!(
            "a head that is not there is ignored",
            "a head that is not there changes nothing, and nobody is told: return an error.",
            |heads, head, instead| {
                if head >= heads.dim(1)? {
                    return Ok(heads.clone());
                }
                fits(heads, head, instead)?;
                put(heads, 1, head, &right(&heads.narrow(1, head, 1)?, instead)?)
            }
        ),
        wrong!(
            "instead stretched",
            "an `instead` of another size was stretched by broadcasting: it must have head_dim numbers, in one dimension.",
            |heads, head, instead| {
                fits(heads, head, None)?;
                put(heads, 1, head, &right(&heads.narrow(1, head, 1)?, instead)?)
            }
        ),
        wrong!(
            "no numbers refused",
            "an empty batch, or one without tokens, is an error or a panic here: there is nothing to replace then, and the result is as empty as what came.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                if heads.elem_count() == 0 {
                    bail!("nothing to switch off");
                }
                put(heads, 1, head, &right(&heads.narrow(1, head, 1)?, instead)?)
            }
        ),
        wrong!(
            "detached",
            "the result is cut off from the heads: a gradient that comes back through it reaches none of them.",
            |heads, head, instead| {
                fits(heads, head, instead)?;
                put(&heads.detach(), 1, head, &right(&heads.narrow(1, head, 1)?, instead)?)
            }
        ),
    ]
}
