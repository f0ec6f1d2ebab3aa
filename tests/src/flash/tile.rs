//! What attention over one tile of keys must hold.

use super::{Parts, drawn_keep, keep_where, reference, same_parts, shown};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        cases::{attention_inputs, matrix},
        compare::{refused, rounding},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `tile_attention`: q, k, v, scale and a mask to `[m, l, acc]`.
pub type TileAttention =
    dyn Fn(&Tensor, &Tensor, &Tensor, f64, Option<&Tensor>) -> Result<[Tensor; 3]>;

pub(super) fn zoo() -> Vec<Proof> {
    tile_laws().proofs()
}

/// Checks attention over one tile, left unfinished: q `(rows, d)`, k `(cols, d)`, v `(cols, d_v)`, a scale and a
/// keep-mask `(rows, cols)` → m, l and acc.
pub fn tile_attention<P: Into<[Tensor; 3]>>(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, f64, Option<&Tensor>) -> Result<P> + 'static,
) -> Verdict {
    tile_laws().judge(&move |q: &Tensor, k: &Tensor, v: &Tensor, scale, keep: Option<&Tensor>| {
        answer(q, k, v, scale, keep).map(Into::into)
    })
}

fn given([q, k, v]: [&Tensor; 3], scale: f64, keep: Option<&Tensor>) -> String {
    let tensors = inputs(&[("q", q), ("k", k), ("v", v)]);
    remember(format!("{tensors}\nscale: {scale}\nkeep: {}", shown(keep)))
}

/// A score is a sum of d products of size 3 and a scale; a sum over the keys has a rounding a key.
fn law(
    f: &TileAttention,
    qkv: [&Tensor; 3],
    scale: f64,
    keep: Option<&Tensor>,
    expected: &Parts,
) -> Outcome {
    let [q, k, v] = qkv;
    let units = 4 * q.dim(1)? + k.dim(0)? + 8;
    let given = given(qkv, scale, keep);
    same_parts(&given, f(q, k, v, scale, keep), expected, [rounding(units), rounding(units)])
}

fn agrees(f: &TileAttention, qkv: [&Tensor; 3], scale: f64, keep: Option<&Tensor>) -> Outcome {
    law(f, qkv, scale, keep, &reference::partial(qkv, scale, keep)?)
}

fn parts<const N: usize, const V: usize>(
    m: [f32; N],
    l: [f32; N],
    acc: [[f32; V]; N],
) -> Result<Parts> {
    Ok([matrix(&m.map(|m| [m]))?, matrix(&l.map(|l| [l]))?, matrix(&acc)?])
}

fn tile_laws() -> Check<TileAttention> {
    const NEVER: f32 = f32::NEG_INFINITY;
    let (ln2, ln4) = (2f32.ln(), 4f32.ln());
    Check::new("flash::tile_attention", wrong::flash::tile_attention())
        .law(Implementation, "one key: m is its score, l is 1, acc is its value", |f| {
            let (q, k, v) = (matrix(&[[2.]])?, matrix(&[[3.]])?, matrix(&[[5., 7.]])?);
            law(f, [&q, &k, &v], 1., None, &parts([6.], [1.], [[5., 7.]])?)
        })
        .law(
            Implementation,
            "scores 0, ln 2, ln 4: exp(score − m) is ¼, ½, 1, and acc is ¼ · 4 + ½ · 2 + 1 · 6, not divided by l",
            move |f| {
                let (q, k) = (matrix(&[[1.]])?, matrix(&[[0.], [ln2], [ln4]])?);
                let v = matrix(&[[4.], [2.], [6.]])?;
                law(f, [&q, &k, &v], 1., None, &parts([ln4], [1.75], [[8.]])?)
            },
        )
        .law(
            Implementation,
            "the scores are q·k times the scale that is given: once, and whatever d is",
            move |f| {
                let q = matrix(&[[4., 0., 0., 0.]])?;
                let k = matrix(&[[0., 0., 0., 0.], [ln2, 0., 0., 0.]])?;
                let v = matrix(&[[4.], [2.]])?;
                law(f, [&q, &k, &v], 0.25, None, &parts([ln2], [1.5], [[4.]])?)
            },
        )
        .law(Implementation, "each query has an m, an l and an acc of its own", move |f| {
            // The scores of query 1 are 0 and −ln 4.
            let (q, k) = (matrix(&[[1.], [-2.]])?, matrix(&[[0.], [ln2]])?);
            let v = matrix(&[[4., 0.], [8., 2.]])?;
            let expected = parts([ln2, 0.], [1.5, 1.25], [[10., 2.], [6., 0.5]])?;
            law(f, [&q, &k, &v], 1., None, &expected)
        })
        .law(
            Masks,
            "a hidden key (0 in `keep`) counts nowhere: not in l, not in acc, and not in the maximum",
            move |f| {
                let (q, k) = (matrix(&[[1.]])?, matrix(&[[0.], [ln2], [9.]])?);
                let v = matrix(&[[4.], [2.], [6.]])?;
                let keep = keep_where(1, 3, |_, key| key < 2)?;
                law(f, [&q, &k, &v], 1., Some(&keep), &parts([ln2], [1.5], [[4.]])?)
            },
        )
        .law(Masks, "a query that sees no key of the tile has m = −∞, l = 0 and zeros, not NaN", move |f| {
            let (q, k) = (matrix(&[[1.], [1.]])?, matrix(&[[0.], [ln2]])?);
            let v = matrix(&[[4.], [2.]])?;
            let keep = keep_where(2, 2, |query, _| query == 1)?;
            let expected = parts([NEVER, ln2], [0., 1.5], [[0.], [4.]])?;
            law(f, [&q, &k, &v], 1., Some(&keep), &expected)
        })
        .property(
            Implementation,
            "m, l and acc of all keys that may be attended to, in any size",
            (1..5usize, 1..8usize, 1..6usize, 1..4usize, 0..1000u64),
            |f, (rows, cols, d, dim_v, seed)| {
                let [q, k, v] = attention_inputs(seed, &[], [rows, cols, d, dim_v])?;
                agrees(f, [&q, &k, &v], 0.7, None)?;
                agrees(f, [&q, &k, &v], 0.7, Some(&drawn_keep(seed, rows, cols)?))
            },
        )
        .law(Edges(why::HUGE), "scores of ±10 000 stay finite", |f| {
            let (q, v) = (matrix(&[[100.], [-100.]])?, matrix(&[[4.], [2.]])?);
            let k = matrix(&[[100.], [100.]])?;
            law(f, [&q, &k, &v], 1., None, &parts([1e4, -1e4], [2., 2.], [[6.], [6.]])?)
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", |f| {
            let [q, k, v] = attention_inputs(3, &[], [3, 4, 5, 2])?;
            let [q, k, v] = [q, k, v].map(|x| x.to_dtype(DType::F64));
            agrees(f, [&q?, &k?, &v?], 0.5, Some(&drawn_keep(3, 3, 4)?))
        })
        .law(Edges(why::REFUSED), "a tile without keys has no maximum: an error", |f| {
            let zeros = |rows| Tensor::zeros((rows, 2), DType::F32, &Device::Cpu);
            let (q, k, v) = (zeros(1)?, zeros(0)?, zeros(0)?);
            refused(&given([&q, &k, &v], 1., None), "there are no keys", f(&q, &k, &v, 1., None))
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error, a mask of one row for two queries, too", |f| {
            let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let q = zeros((2, 3))?;
            for (k, v, why) in [
                ((4, 2), (4, 5), "k has another d than q"),
                ((4, 3), (3, 5), "there are fewer values than keys"),
            ] {
                let (k, v) = (zeros(k)?, zeros(v)?);
                refused(&given([&q, &k, &v], 1., None), why, f(&q, &k, &v, 1., None))?;
            }
            let (k, v) = (zeros((4, 3))?, zeros((4, 5))?);
            for (rows, columns) in [(4, 2), (1, 4), (2, 1)] {
                let keep = keep_where(rows, columns, |_, _| true)?;
                let given = given([&q, &k, &v], 1., Some(&keep));
                refused(&given, "keep is not (2, 4)", f(&q, &k, &v, 1., Some(&keep)))?;
            }
            Ok(())
        })
}
