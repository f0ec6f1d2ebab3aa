//! Week 7's wrong answers.

mod backward;
mod count;
mod forward;
mod online;
mod state;
mod tile;

pub use backward::{delta, tile_backward};
pub use count::{tiled_traffic, tiles_to_visit};
pub use forward::flash_attention;
pub use online::{lse, online_softmax};
pub use state::{finish, merge};
pub use tile::tile_attention;

use super::{Wrong, wrong};
use crate::flash::Parts;
use candle_core::{D, DType, Result, Tensor};

const NEVER: f64 = f64::NEG_INFINITY;

/// What a detour through f32 loses.
const DETOUR: &str = "the result has the inputs' type, and was computed in f32: from the eighth digit on it is noise. Stay in the type of the inputs.";

fn single(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::F32)
}

/// The scores, `hidden` where `keep` is 0.
fn masked(s: &Tensor, keep: Option<&Tensor>, hidden: f64) -> Result<Tensor> {
    match keep {
        Some(keep) => keep.where_cond(s, &(s.zeros_like()? + hidden)?),
        None => Ok(s.clone()),
    }
}

/// The scores of a tile, right.
fn scores(q: &Tensor, k: &Tensor, scale: f64, keep: Option<&Tensor>) -> Result<Tensor> {
    masked(&(q.matmul(&k.t()?)? * scale)?, keep, NEVER)
}

/// 0 in place of −∞.
fn or_zero(x: &Tensor) -> Result<Tensor> {
    x.eq(NEVER)?.where_cond(&x.zeros_like()?, x)
}

/// exp(s − m), 0 where m is −∞.
fn exponentials(s: &Tensor, m: &Tensor) -> Result<Tensor> {
    s.broadcast_sub(&or_zero(m)?)?.exp()
}

/// m, l and acc of the exponentials `p`.
fn parts(m: Tensor, p: &Tensor, v: &Tensor) -> Result<Parts> {
    Ok([m, p.sum_keepdim(D::Minus1)?, p.matmul(v)?])
}

/// A right tile.
fn tile(q: &Tensor, k: &Tensor, v: &Tensor, scale: f64, keep: Option<&Tensor>) -> Result<Parts> {
    let s = scores(q, k, scale, keep)?;
    let m = s.max_keepdim(D::Minus1)?;
    let p = exponentials(&s, &m)?;
    parts(m, &p, v)
}

/// m, and the sums with these factors.
fn sums(
    m: Tensor,
    [_, l_a, acc_a]: &Parts,
    [_, l_b, acc_b]: &Parts,
    [from_a, from_b]: [&Tensor; 2],
) -> Result<Parts> {
    let l = ((l_a * from_a)? + (l_b * from_b)?)?;
    Ok([m, l, (acc_a.broadcast_mul(from_a)? + acc_b.broadcast_mul(from_b)?)?])
}

/// The right maximum and factors of a merge.
fn factors(a: &Parts, b: &Parts) -> Result<(Tensor, Tensor, Tensor)> {
    let m = a[0].maximum(&b[0])?;
    let base = or_zero(&m)?;
    let (from_a, from_b) = ((&a[0] - &base)?.exp()?, (&b[0] - &base)?.exp()?);
    Ok((m, from_a, from_b))
}

/// A right merge.
fn merged(a: &Parts, b: &Parts) -> Result<Parts> {
    let (m, from_a, from_b) = factors(a, b)?;
    sums(m, a, b, [&from_a, &from_b])
}

/// x / l, 0 where l is 0 and so is x.
fn divided(x: &Tensor, l: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&l.eq(0.)?.where_cond(&l.ones_like()?, l)?)
}

/// A right end.
fn finished([m, l, acc]: &Parts) -> Result<(Tensor, Tensor)> {
    Ok((divided(acc, l)?, (m + l.log()?)?))
}
