//! Wrong tests for leaks from the future.

use crate::{
    masking::LeakTest,
    wrong::{Wrong, wrong},
};
use candle_core::{Result, Tensor};
use std::cell::Cell;

type Attend<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;

fn noise(input: &Tensor) -> Result<Tensor> {
    input + seeded::normal(5, input.shape())?
}

fn differ(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.ne(b)?.flatten_all()?.to_vec1::<u8>()?.contains(&1))
}

/// Rows `from..until` of `changed` put into `input`.
fn mixed(input: &Tensor, changed: &Tensor, from: usize, until: usize) -> Result<Tensor> {
    let seq = input.dim(0)?;
    let parts = [
        input.narrow(0, 0, from)?,
        changed.narrow(0, from, until - from)?,
        input.narrow(0, until, seq - until)?,
    ];
    Tensor::cat(&parts, 0)
}

/// For each position, changes all later tokens to those of `changed` and compares the rows `compared(now)` before them.
fn suffixes(
    attend: Attend,
    input: &Tensor,
    changed: &Tensor,
    compared: impl Fn(usize) -> (usize, usize),
) -> Result<bool> {
    let (before, seq) = (attend(input)?, input.dim(0)?);
    for now in 1..seq {
        let after = attend(&mixed(input, changed, now, seq)?)?;
        let (from, until) = compared(now);
        if differ(&before.narrow(0, from, until - from)?, &after.narrow(0, from, until - from)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same, where `alike` says of how far two outputs are apart whether they count as equal.
fn suffixes_apart(
    attend: Attend,
    input: &Tensor,
    alike: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<bool> {
    let (before, changed, seq) = (attend(input)?, noise(input)?, input.dim(0)?);
    for now in 1..seq {
        let after = attend(&mixed(input, &changed, now, seq)?)?;
        let apart = (before.narrow(0, 0, now)? - after.narrow(0, 0, now)?)?.abs()?;
        if alike(&apart)?.flatten_all()?.to_vec1::<u8>()?.contains(&0) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub fn leaks_future() -> Vec<Wrong<LeakTest>> {
    vec![
        wrong!(
            "answer inverted",
            "true and false are swapped: true means that it leaks.",
            |attend, input| Ok(!suffixes(attend, input, &noise(input)?, |now| (0, now))?)
        ),
        wrong!(
            "own row compared",
            "the row of the changed token is compared too: a token may change its own output. Compare the rows before it.",
            |attend, input| suffixes(attend, input, &noise(input)?, |now| (0, now + 1))
        ),
        wrong!(
            "past changed",
            "the past is changed and the future compared: causal attention is meant to let that through. Change later tokens, compare earlier rows.",
            |attend, input| {
                let (before, changed) = (attend(input)?, noise(input)?);
                let seq = input.dim(0)?;
                for now in 1..seq {
                    let after = attend(&mixed(input, &changed, 0, now)?)?;
                    if differ(
                        &before.narrow(0, now, seq - now)?,
                        &after.narrow(0, now, seq - now)?,
                    )? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        ),
        wrong!(
            "nearest row not compared",
            "the output right before the change is not compared: it is the one that an off-by-one mask lets see one token too far.",
            |attend, input| suffixes(attend, input, &noise(input)?, |now| (0, now - 1))
        ),
        wrong!(
            "only the last token changed",
            "only the last token is changed: a leak between earlier tokens goes unseen. Change what comes after each position in turn.",
            |attend, input| {
                let (before, seq) = (attend(input)?, input.dim(0)?);
                let last = seq.saturating_sub(1);
                let after = attend(&mixed(input, &noise(input)?, last, seq)?)?;
                differ(&before.narrow(0, 0, last)?, &after.narrow(0, 0, last)?)
            }
        ),
        wrong!(
            "only the next token changed",
            "only the token right after the compared row is changed: a leak that skips a token goes unseen. Change all later ones.",
            |attend, input| {
                let (before, changed) = (attend(input)?, noise(input)?);
                for now in 1..input.dim(0)? {
                    let after = attend(&mixed(input, &changed, now, now + 1)?)?;
                    if differ(&before.narrow(0, now - 1, 1)?, &after.narrow(0, now - 1, 1)?)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        ),
        wrong!(
            "future replaced by NaN",
            "the future becomes NaN (or infinite), and 0 · NaN is NaN: a hidden key with weight 0 then changes every output. Change it by finite numbers.",
            |attend, input| suffixes(attend, input, &(input * f64::NAN)?, |now| (0, now))
        ),
        wrong!(
            "future cut off",
            "the future is cut off instead of changed: then the number of tokens differs too, and products of another size round differently. Keep the tokens, and change what they hold.",
            |attend, input| {
                let before = attend(input)?;
                for now in 1..input.dim(0)? {
                    if differ(&before.narrow(0, 0, now)?, &attend(&input.narrow(0, 0, now)?)?)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        ),
        wrong!(
            "future in another order",
            "the later tokens only change places: a single one cannot, and attention without a mask does not see their order. Change what they hold.",
            |attend, input| {
                let (before, seq) = (attend(input)?, input.dim(0)?);
                for now in 1..seq {
                    let order = (0..now as u32).chain((now as u32..seq as u32).rev());
                    let order = Tensor::from_iter(order, input.device())?;
                    let after = attend(&input.index_select(&order, 0)?)?;
                    if differ(&before.narrow(0, 0, now)?, &after.narrow(0, 0, now)?)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        ),
        wrong!(
            "only the first number of a token changed",
            "only a token's first number is changed: a leak through the others goes unseen. Change all of them.",
            |attend, input| {
                let (first, dim) = ((input.narrow(1, 0, 1)? + 3.)?, input.dim(1)?);
                let changed = Tensor::cat(&[first, input.narrow(1, 1, dim - 1)?], 1)?;
                suffixes(attend, input, &changed, |now| (0, now))
            }
        ),
        wrong!(
            "replaced by ones",
            "the future is replaced by one fixed number: an input that holds this number already does not change. Add random numbers.",
            |attend, input| suffixes(attend, input, &input.ones_like()?, |now| (0, now))
        ),
        wrong!(
            "last token never changed alone",
            "the loop ends one step early: the last token alone is never changed, so what leaks from it into the row before goes unseen.",
            |attend, input| {
                let (before, changed, seq) = (attend(input)?, noise(input)?, input.dim(0)?);
                for now in 1..seq.saturating_sub(1) {
                    let after = attend(&mixed(input, &changed, now, seq)?)?;
                    if differ(&before.narrow(0, 0, now)?, &after.narrow(0, 0, now)?)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        ),
        wrong!(
            "only the first row compared",
            "only the first output is compared: the others can see the future as well.",
            |attend, input| suffixes(attend, input, &noise(input)?, |_| (0, 1))
        ),
        wrong!(
            "the same number added everywhere",
            "the future is changed by adding one number to all of a token: where the token's mean is subtracted first, as a layer norm does, nothing changes. Change it by random numbers.",
            |attend, input| suffixes(attend, input, &(input + 3.)?, |now| (0, now))
        ),
        wrong!(
            "multiplied",
            "zeros stay zeros: the future is multiplied, negated, or replaced by zeros. Add random numbers.",
            |attend, input| suffixes(attend, input, &(input * 3.)?, |now| (0, now))
        ),
        wrong!(
            "tolerance too wide",
            "small changes are let through: a faint leak is still a leak, and a key of weight 0 adds exactly 0. Compare exactly.",
            |attend, input| {
                let coarse = |x: &Tensor| (attend(x)? * 20.)?.round();
                suffixes(&coarse, input, &noise(input)?, |now| (0, now))
            }
        ),
        wrong!(
            "small tolerance",
            "changes below a small tolerance are let through: compare bit for bit, since a key of weight 0 adds exactly 0.",
            |attend, input| suffixes_apart(attend, input, |apart| apart.le(1e-5))
        ),
        wrong!(
            "tiny tolerance",
            "changes below a tiny tolerance are let through: compare bit for bit, since a key of weight 0 adds exactly 0.",
            |attend, input| suffixes_apart(attend, input, |apart| apart.le(1e-6))
        ),
        wrong!(
            "NaN overlooked",
            "NaN is not above any number, so an output that became NaN goes unseen: ask which outputs are equal, not which are far apart.",
            |attend, input| suffixes_apart(attend, input, |apart| apart.gt(0.)?.eq(0u8))
        ),
        wrong!(
            "not seeded",
            "the verdict differs from call to call: the future is changed by different random numbers each time. Take them from `seeded::normal`.",
            {
                let calls = Cell::new(0);
                move |attend, input| {
                    calls.set(calls.get() + 1);
                    let changed = (input + seeded::normal(calls.get(), input.shape())?)?;
                    suffixes(attend, input, &changed, |now| (0, now))
                }
            }
        ),
        wrong!(
            "change too small",
            "the change is so small that rounding swallows it: change the future by numbers of size one.",
            |attend, input| {
                let tiny = (seeded::normal(5, input.shape())? * 1e-6)?;
                suffixes(attend, input, &(input + tiny)?, |now| (0, now))
            }
        ),
        wrong!(
            "errors swallowed",
            "an error of `attend` is answered with false: pass it on with `?`.",
            |attend, input| Ok(
                suffixes(attend, input, &noise(input)?, |now| (0, now)).unwrap_or(false)
            )
        ),
    ]
}
