//! Wrong rotations: a right one, each time with one fault.

use crate::{
    transformer::Rope,
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor, bail};

/// The right angle of a pair.
fn right(position: usize, pair: usize, dim: usize) -> f64 {
    position as f64 / 10_000f64.powf((2 * pair) as f64 / dim as f64)
}

/// Cosine and sine of the angles at position (from 0, without an offset) and pair: `(seq, pairs, 1)`.
fn tables(x: &Tensor, angle: impl Fn(usize, usize, usize) -> f64) -> Result<[Tensor; 2]> {
    let (_, _, seq, dim) = x.dims4()?;
    if dim % 2 != 0 {
        bail!("head_dim is odd");
    }
    let pairs = dim / 2;
    let angles = (0..seq * pairs).map(|at| angle(at / pairs, at % pairs, dim)).collect();
    let angles = Tensor::from_vec::<_, f64>(angles, (seq, pairs, 1), x.device())?;
    Ok([angles.cos()?.to_dtype(x.dtype())?, angles.sin()?.to_dtype(x.dtype())?])
}

/// First and second numbers of the pairs, `(batch, heads, seq, pairs, 1)` each.
fn pairs(x: &Tensor) -> Result<[Tensor; 2]> {
    let (batch, heads, seq, dim) = x.dims4()?;
    let x = x.reshape((batch, heads, seq, dim / 2, 2))?;
    Ok([x.narrow(4, 0, 1)?, x.narrow(4, 1, 1)?])
}

/// The right rotation by these angles.
fn turned(x: &Tensor, angle: impl Fn(usize, usize, usize) -> f64) -> Result<Tensor> {
    let ([cos, sin], [a, b]) = (tables(x, angle)?, pairs(x)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
    Tensor::cat(&[first, second], 4)?.reshape(x.shape())
}

pub fn rope() -> Vec<Wrong<Rope>> {
    vec![
        wrong!(
            "halves instead of neighbours",
            "number i is paired with number i + head_dim/2: here a pair is 2i and 2i + 1. (Both are in use, and weights trained for one do not fit the other.)",
            |x, offset| {
                let [cos, sin] = tables(x, |row, pair, dim| right(offset + row, pair, dim))?;
                let [cos, sin] = [cos.squeeze(2)?, sin.squeeze(2)?];
                let half = x.dim(D::Minus1)? / 2;
                let (a, b) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
                let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
                let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
                Tensor::cat(&[first, second], 3)
            }
        ),
        wrong!(
            "neighbours turned, halves returned",
            "the turned pairs are not put back side by side: all first numbers stand in the first half, all second numbers in the second. Join the two along a last dimension of its own, then reshape.",
            |x, offset| {
                let side_by_side = turned(x, |row, pair, dim| right(offset + row, pair, dim))?;
                let [first, second] = pairs(&side_by_side)?.map(|half| half.squeeze(4));
                Tensor::cat(&[first?, second?], 3)
            }
        ),
        wrong!(
            "offset ignored",
            "`offset` is not used: the first token stands at position `offset`. With a cache of keys each new token would be turned as if it were the first.",
            |x, _| turned(x, right)
        ),
        wrong!(
            "offset for every token",
            "every token is turned by `offset` alone: token number r stands at `offset` + r.",
            |x, offset| turned(x, |_, pair, dim| right(offset, pair, dim))
        ),
        wrong!(
            "one angle for all pairs",
            "all pairs turn at the same speed: pair i turns 10000^(2i/head_dim) times as slowly as the first.",
            |x, offset| turned(x, |row, _, _| (offset + row) as f64)
        ),
        wrong!(
            "turned the other way",
            "the pairs are turned backwards: (1, 0) becomes (cos, sin), not (cos, −sin). Dot products stay right as long as query and key agree, but weights of other models do not fit.",
            |x, offset| turned(x, |row, pair, dim| -right(offset + row, pair, dim))
        ),
        wrong!(
            "sign of a sine",
            "this is no rotation, since lengths change: one of the two sines carries a minus, a·cos − b·sin and a·sin + b·cos.",
            |x, offset| {
                let [cos, sin] = tables(x, |row, pair, dim| right(offset + row, pair, dim))?;
                let [a, b] = pairs(x)?;
                let first = (a.broadcast_mul(&cos)? + b.broadcast_mul(&sin)?)?;
                let second = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
                Tensor::cat(&[first, second], 4)?.reshape(x.shape())
            }
        ),
        wrong!(
            "first number turned before the second is",
            "the second number is computed from the first after it was turned: both need the original pair.",
            |x, offset| {
                let [cos, sin] = tables(x, |row, pair, dim| right(offset + row, pair, dim))?;
                let [a, b] = pairs(x)?;
                let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
                let second = (first.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
                Tensor::cat(&[first, second], 4)?.reshape(x.shape())
            }
        ),
        wrong!(
            "exponent i instead of 2i",
            "the exponent is half of what it should be: pair i has 2i / head_dim, that is i over the number of pairs.",
            |x, offset| turned(x, |row, pair, dim| right(offset + row, pair, 2 * dim))
        ),
        wrong!(
            "frequencies that rise",
            "later pairs turn faster: divide the position by 10000^(2i/head_dim), do not multiply.",
            |x, offset| turned(x, |row, pair, dim| {
                (offset + row) as f64 * 10_000f64.powf((2 * pair) as f64 / dim as f64)
            })
        ),
        wrong!(
            "positions from 1",
            "the positions count from 1: the first token stands at `offset`, and is not turned when that is 0.",
            |x, offset| turned(x, |row, pair, dim| right(offset + row + 1, pair, dim))
        ),
        wrong!(
            "the head as position",
            "the heads are taken for the tokens: `x` is (batch, heads, seq, head_dim), so that positions run along dimension 2.",
            |x, offset| {
                let swapped = x.transpose(1, 2)?.contiguous()?;
                turned(&swapped, |row, pair, dim| right(offset + row, pair, dim))?
                    .transpose(1, 2)?
                    .contiguous()
            }
        ),
        wrong!(
            "angles in f32",
            "far positions are off: an f32 has 24 bits, and a large angle spends them before the point. Compute the angles in f64, and turn sine and cosine into the type of x.",
            |x, offset| turned(x, |row, pair, dim| match x.dtype() {
                DType::F32 => f64::from((offset + row) as f32 * right(1, pair, dim) as f32),
                _ => right(offset + row, pair, dim),
            })
        ),
        wrong!(
            "f64 through f32",
            "the numbers of an f64 are rounded to f32 on the way: sine and cosine take the type of x, and x keeps its own.",
            |x, offset| {
                let single = x.to_dtype(DType::F32)?;
                turned(&single, |row, pair, dim| right(offset + row, pair, dim))?
                    .to_dtype(x.dtype())
            }
        ),
        wrong!(
            "candle's fused rope",
            "the values are right, but there is no gradient: `candle_nn::rotary_emb::rope_i` is forward only, without a warning. Build it from tensor operations.",
            |x, offset| {
                let [cos, sin] = tables(x, |row, pair, dim| right(offset + row, pair, dim))?;
                if x.elem_count() == 0 {
                    return Ok(x.clone());
                }
                let [cos, sin] = [cos.squeeze(2)?, sin.squeeze(2)?];
                candle_nn::rotary_emb::rope_i(&x.contiguous()?, &cos, &sin)
            }
        ),
        wrong!(
            "odd head_dim accepted",
            "an odd head_dim was accepted: the last number has no partner to turn with. Check for that first, and return an error.",
            |x, offset| {
                let odd = x.dim(3)? % 2;
                let even = x.pad_with_zeros(3, 0, odd)?;
                turned(&even, |row, pair, dim| right(offset + row, pair, dim))?.narrow(
                    3,
                    0,
                    x.dim(3)?,
                )
            }
        ),
        wrong!(
            "f32 comes out",
            "the result is f32, whatever comes in: it has the type of `x`. Bring the tables of sines and cosines to `x.dtype()`, not `x` to theirs.",
            |x, offset| {
                let x = x.to_dtype(DType::F32)?;
                turned(&x, |row, pair, dim| right(offset + row, pair, dim))
            }
        ),
    ]
}
