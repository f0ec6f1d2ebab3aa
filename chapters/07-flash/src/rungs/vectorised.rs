//! The fourth rung: tiles laid out so that the compiler turns the loops into vector instructions.
//!
//! What changed: both products are sums of rows, each times a number, for which keys lie transposed. No sum waits for the
//! one before, and neighbours in memory get the same treatment: that is what the compiler looks for. The
//! exponential is a polynomial, not a call. And all this is compiled several times, for the vector instructions that
//! processors have; which one runs is found out at run time.

use super::heads::{Head, in_blocks};
use crate::kernel::Real;
use candle_core::{Result, Tensor};
use std::f32::consts::LOG2_E;

/// Queries of a tile.
pub(super) const B_R: usize = 96;
/// Keys of a tile.
pub(super) const B_C: usize = 64;
/// Numbers side by side when a row becomes one number.
const LANES: usize = 16;

/// Tiles in loops that become vector instructions.
pub fn vectorised(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Result<Tensor> {
    in_blocks([q, k, v], causal, B_R, transposed, |head, keys, first, o| {
        pulp::Arch::new().dispatch(Block { head, keys, first, o });
    })
}

/// The queries from `first` on.
struct Block<'a> {
    head: &'a Head<'a>,
    /// From [`transposed`].
    keys: &'a [[f32; B_C]],
    first: usize,
    /// Their outputs, zeros at first.
    o: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Block<'_> {
    type Output = ();

    /// Compiled for several kinds of vector instructions, and with it what it calls and is inlined.
    #[inline(always)]
    fn call(self) {
        block(self.head, self.keys, self.first, self.o);
    }
}

/// Keys `(seq_k, d)` in tiles `(d, B_C)`, zeros after the last key.
fn transposed(k: &[f32], d: usize) -> Vec<[f32; B_C]> {
    let mut tiles = vec![[0.; B_C]; (k.len() / d).div_ceil(B_C) * d];
    for (key, numbers) in k.chunks_exact(d).enumerate() {
        let tile = &mut tiles[key / B_C * d..][..d];
        tile.iter_mut().zip(numbers).for_each(|(row, number)| row[key % B_C] = *number);
    }
    tiles
}

// ANCHOR: vectorised
/// The outputs of the queries from `first` on, in `o`, which holds zeros.
#[inline(always)]
fn block(head: &Head, tiles: &[[f32; B_C]], first: usize, o: &mut [f32]) {
    let queries = first..first + o.len() / head.d_v;
    let (mut m, mut l) = ([f32::NEG_INFINITY; B_R], [0.; B_R]);
    for start in (0..head.seen(queries.end - 1)).step_by(B_C) {
        let keys = tiles[start / B_C * head.d..][..head.d].as_flattened();
        let values = &head.v[start * head.d_v..];
        for (i, query) in queries.clone().enumerate() {
            let seen = head.seen(query).saturating_sub(start).min(B_C);
            let o = &mut o[i * head.d_v..][..head.d_v];
            let mut s = [0.; B_C];
            add_rows(&mut s, &head.q[query * head.d..][..head.d], keys);
            soften(&mut s, seen, head.scale, &mut m[i], &mut l[i], o);
            add_rows(o, &s[..seen], values);
        }
    }
    for (o, l) in o.chunks_exact_mut(head.d_v).zip(l) {
        o.iter_mut().for_each(|o| *o /= l);
    }
}

/// `to` += Σ factor · row: with a query and transposed keys its scores, with weights
/// and values its output. Four rows go together: `to` is read and written a quarter
/// as often.
#[inline(always)]
fn add_rows(to: &mut [f32], factors: &[f32], rows: &[f32]) {
    let width = to.len();
    let (fours, rest) = factors.as_chunks::<4>();
    let (first, last) = rows.split_at(fours.len() * 4 * width);
    for ([p, q, r, s], rows) in fours.iter().zip(first.chunks_exact(4 * width)) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|row| &rows[row * width..][..width]);
        for ((((to, a), b), c), d) in to.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *to += p * a + q * b + r * c + s * d;
        }
    }
    for (factor, row) in rest.iter().zip(last.chunks_exact(width)) {
        to.iter_mut().zip(row).for_each(|(to, x)| *to += factor * x);
    }
}

/// The online softmax of one query: the first `seen` scores become weights, the
/// others zeros.
#[inline(always)]
fn soften(
    s: &mut [f32; B_C],
    seen: usize, // how many keys
    scale: f32,
    m: &mut f32,
    l: &mut f32,
    o: &mut [f32],
) {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    s.iter_mut().for_each(|s| *s *= scale * LOG2_E); // 2ˣ takes the place of eˣ
    s[seen..].fill(f32::NEG_INFINITY);
    let m_new = fold(s, *m, larger);
    let down = Real::exp2(*m - m_new); // 0 in the first tile
    s.iter_mut().for_each(|s| *s = Real::exp2(*s - m_new));
    *l = *l * down + fold(s, 0., |a, b| a + b);
    *m = m_new;
    o.iter_mut().for_each(|o| *o *= down);
}
// ANCHOR_END: vectorised

/// Every number's power of two, as the rung computes it, in vectors.
pub fn exponentials(numbers: &mut [f32]) {
    struct All<'a>(&'a mut [f32]);
    impl pulp::NullaryFnOnce for All<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.0.iter_mut().for_each(|x| *x = Real::exp2(*x));
        }
    }
    pulp::Arch::new().dispatch(All(numbers));
}

/// All numbers joined, sixteen side by side and only then these: an order that fits vectors.
#[inline(always)]
fn fold(numbers: &[f32; B_C], first: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let lanes = numbers.as_chunks::<LANES>().0;
    let mut all = lanes[0];
    for lane in &lanes[1..] {
        all.iter_mut().zip(lane).for_each(|(all, x)| *all = join(*all, *x));
    }
    all.into_iter().fold(first, join)
}
