//! Wrong tiles.

use super::{
    DETOUR, NEVER, Wrong, divided, exponentials, masked, or_zero, parts, scores, single, tile,
    wrong,
};
use crate::flash::TileAttention;
use candle_core::{D, DType, Tensor};

pub fn tile_attention() -> Vec<Wrong<TileAttention>> {
    vec![
        wrong!(
            "scale forgotten",
            "the scores are not multiplied by `scale`.",
            |q, k, v, _, keep| tile(q, k, v, 1., keep)
        ),
        wrong!(
            "scaled twice",
            "the scale is applied twice: `tile_scores` has multiplied by it already.",
            |q, k, v, scale, keep| tile(q, k, v, scale * scale, keep)
        ),
        wrong!(
            "1/√d although a scale is given",
            "the scores are divided by √d: here the caller says what to multiply by, and 1/√d is only what callers mostly choose.",
            |q, k, v, _, keep| tile(q, k, v, 1. / (q.dim(1)? as f64).sqrt(), keep)
        ),
        wrong!(
            "divided by √d as well",
            "the scores are multiplied by `scale` and divided by √d: `scale` is all.",
            |q, k, v, scale, keep| tile(q, k, v, scale / (q.dim(1)? as f64).sqrt(), keep)
        ),
        wrong!(
            "acc divided by l",
            "acc is already divided by l: that is left to `finish`, at the end. What other tiles add could no longer be summed with it.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([m, l.clone(), divided(&acc, &l)?])
            }
        ),
        wrong!(
            "softmax within the tile",
            "the weights are a softmax over this tile, so l is always 1: keep exp(score − m) as it is, since other tiles follow.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([m, divided(&l, &l)?, divided(&acc, &l)?])
            }
        ),
        wrong!(
            "one maximum for the tile",
            "one maximum is taken over the whole tile: each query has its own, or the exponentials of a query with low scores all become 0.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                let m = s.max_keepdim(D::Minus1)?;
                let m = m.zeros_like()?.broadcast_add(&m.max_keepdim(0)?)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "mask ignored",
            "`keep` is not used: hidden keys are attended to.",
            |q, k, v, scale, keep| {
                tile(q, k, v, scale, keep)?; // refuses what it must
                tile(q, k, v, scale, None)
            }
        ),
        wrong!(
            "mask inverted",
            "`keep` is read the wrong way round: 1 means may attend.",
            |q, k, v, scale, keep| {
                let keep = keep.map(|keep| keep.eq(0u8)).transpose()?;
                tile(q, k, v, scale, keep.as_ref())
            }
        ),
        wrong!(
            "mask after the exponentials",
            "the exponentials are masked, but the maximum was taken before, hidden scores included: a large hidden one pushes the others down to 0. Mask the scores.",
            |q, k, v, scale, keep| {
                tile(q, k, v, scale, keep)?; // refuses what it must
                let s = scores(q, k, scale, None)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = masked(&exponentials(&s, &m)?, keep, 0.)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "maximum of hidden scores too",
            "the maximum is taken over all scores, hidden ones included: a large hidden one pushes the exponentials of the others down to 0. Take it after the mask.",
            |q, k, v, scale, keep| {
                let m = scores(q, k, scale, None)?.max_keepdim(D::Minus1)?;
                let p = exponentials(&scores(q, k, scale, keep)?, &m)?;
                let l = p.sum_keepdim(D::Minus1)?;
                let m = l.eq(0.)?.where_cond(&(l.zeros_like()? + NEVER)?, &m)?;
                Ok([m, l, p.matmul(v)?])
            }
        ),
        wrong!(
            "keys counted",
            "l is how many keys are seen: it is the sum of their exponentials, which is less unless all scores are equal.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                let seen = match keep {
                    Some(keep) => keep.to_dtype(l.dtype())?.sum_keepdim(1)?,
                    None => (l.ones_like()? * k.dim(0)? as f64)?,
                };
                Ok([m, seen, acc])
            }
        ),
        wrong!(
            "mask stretched",
            "a mask of one row, or of one column, is stretched over the tile: it has to be `(rows, cols)`, and one that is not belongs to other queries or keys. `where_cond` asks for that.",
            |q, k, v, scale, keep| {
                let full = (q.dim(0)?, k.dim(0)?);
                let keep = keep.map(|keep| keep.broadcast_as(full)?.contiguous()).transpose()?;
                tile(q, k, v, scale, keep.as_ref())
            }
        ),
        wrong!(
            "mask after the sum",
            "hidden keys are kept out of acc, but l was summed before and counts them: mask the scores, then everything else follows.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, None)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                Ok([m, p.sum_keepdim(D::Minus1)?, masked(&p, keep, 0.)?.matmul(v)?])
            }
        ),
        wrong!(
            "hidden scores 0",
            "hidden scores become 0, a score like any other, whose exponential is not 0: only −∞ takes nothing.",
            |q, k, v, scale, keep| {
                let s = masked(&scores(q, k, scale, None)?, keep, 0.)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "0 times infinity",
            "0 · −∞ is NaN, so every visible key is poisoned: choose with `where_cond` instead of multiplying; `tile_scores` does.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, None)?;
                let s = match keep {
                    Some(keep) => (s + ((1. - keep.to_dtype(q.dtype())?)? * NEVER)?)?,
                    None => s,
                };
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "-1e9",
            "hidden scores become −1e9 instead of −∞: a query that sees nothing then finds all keys equally good, and the merge counts them.",
            |q, k, v, scale, keep| {
                let s = masked(&scores(q, k, scale, None)?, keep, -1e9)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "NaN where nothing is seen",
            "a query that sees no key of the tile has m = −∞, and −∞ − (−∞) is NaN: put another number in place of m for the subtraction; `zero_if_infinite` does.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = s.broadcast_sub(&m)?.exp()?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "maximum 0 where nothing is seen",
            "the 0 that stands in for −∞ in the subtraction is returned as m: in a merge, it would beat every score below 0. Return the maximum itself.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([or_zero(&m)?, l, acc])
            }
        ),
        wrong!(
            "maximum not subtracted",
            "the exponentials are of the scores themselves: subtract each query's maximum, or they overflow, and don't belong to the m that is returned.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                parts(s.max_keepdim(D::Minus1)?, &s.exp()?, v)
            }
        ),
        wrong!(
            "maximum before the scale",
            "the maximum is that of q·k before the scale: it has to be the maximum of the scores that the exponentials are taken of.",
            |q, k, v, scale, keep| {
                let m = scores(q, k, 1., keep)?.max_keepdim(D::Minus1)?;
                let p = exponentials(&scores(q, k, scale, keep)?, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "keys not transposed",
            "the scores are q·k: transpose k, so that each query meets each key.",
            |q, k, v, scale, keep| {
                let s = masked(&(q.matmul(k)? * scale)?, keep, NEVER)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = exponentials(&s, &m)?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "mean instead of sum",
            "l is the mean of the exponentials: it is their sum.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([m, (l / k.dim(0)? as f64)?, acc])
            }
        ),
        wrong!(
            "columns lost",
            "m and l are `(rows)`: with `max_keepdim` and `sum_keepdim` they stay columns `(rows, 1)`, which line up with the rows of acc.",
            |q, k, v, scale, keep| {
                let [m, l, acc] = tile(q, k, v, scale, keep)?;
                Ok([m.squeeze(1)?, l.squeeze(1)?, acc])
            }
        ),
        wrong!(
            "maximum over the queries",
            "maximum and sum run over dimension 0, the queries: a query compares its keys, the last dimension.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                let m = s.max_keepdim(0)?;
                let p = exponentials(&s, &m)?;
                Ok([m, p.sum_keepdim(0)?, p.matmul(v)?])
            }
        ),
        wrong!(
            "powers of two",
            "the base is 2, not e: 2^x needs scores that were multiplied by log₂ e, or use `exp()`.",
            |q, k, v, scale, keep| {
                let s = scores(q, k, scale, keep)?;
                let m = s.max_keepdim(D::Minus1)?;
                let p = (s.broadcast_sub(&or_zero(&m)?)? * std::f64::consts::LN_2)?.exp()?;
                parts(m, &p, v)
            }
        ),
        wrong!(
            "computed in f32",
            "the result is f32 whatever the inputs are: take the type from them.",
            |q, k, v, scale, keep| {
                let single = |x: &Tensor| x.to_dtype(DType::F32);
                tile(&single(q)?, &single(k)?, &single(v)?, scale, keep)
            }
        ),
        wrong!("computed in f32, returned as f64", DETOUR, |q, k, v, scale, keep| {
            let [m, l, acc] = tile(&single(q)?, &single(k)?, &single(v)?, scale, keep)?;
            let back = |x: Tensor| x.to_dtype(q.dtype());
            Ok([back(m)?, back(l)?, back(acc)?])
        }),
        wrong!(
            "empty tile let through",
            "a tile without keys comes back as if nothing had been seen: whoever cut it has a mistake, so let the error of `max_keepdim` through.",
            |q, k, v, scale, keep| {
                if k.dim(0)? == 0 {
                    let l = Tensor::zeros((q.dim(0)?, 1), q.dtype(), q.device())?;
                    let acc = Tensor::zeros((q.dim(0)?, v.dim(1)?), q.dtype(), q.device())?;
                    return Ok([(&l + NEVER)?, l, acc]);
                }
                tile(q, k, v, scale, keep)
            }
        ),
    ]
}
