//! What the backward pass must hold: `delta`, and the gradients of one tile.

use super::{causal_keep, drawn_keep, keep_where, pytorch, reference, shown, together};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Masks},
        Outcome,
        cases::{attention_inputs, matrix},
        compare::{Rounding, refused, rounding, same, value},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `tile_backward`: `[q, d_out, lse, delta]` of the queries, k, v, scale and a mask to `(d_q, d_k, d_v)`.
pub type TileBackward =
    dyn Fn(&[Tensor; 4], &Tensor, &Tensor, f64, Option<&Tensor>) -> Result<Gradient>;
/// Of q, k and v.
type Gradient = (Tensor, Tensor, Tensor);
/// `delta`: an output and its gradient.
pub type Delta = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [delta_laws().proofs(), tile_laws().proofs()].into_iter().flatten().collect()
}

/// Checks a query's output times that output's gradient: both `(rows, d_v)` → `(rows, 1)`.
pub fn delta(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    delta_laws().judge(&answer)
}

fn delta_laws() -> Check<Delta> {
    let given = |out: &Tensor, d_out: &Tensor| inputs(&[("out", out), ("d_out", d_out)]);
    let law = move |f: &Delta, out: &Tensor, d_out: &Tensor, expected: &Tensor, rounding| {
        same(&given(out, d_out), f(out, d_out), expected, rounding)
    };
    Check::new("flash::delta", wrong::flash::delta())
        .law(Implementation, "(1, 2) and (3, 4): 1 · 3 + 2 · 4", move |f| {
            law(f, &matrix(&[[1., 2.]])?, &matrix(&[[3., 4.]])?, &matrix(&[[11.]])?, rounding(0))
        })
        .law(Implementation, "each query has a number of its own, in a column", move |f| {
            let out = matrix(&[[1., 2., 0.], [0., -1., 5.]])?;
            let d_out = matrix(&[[3., 4., 6.], [7., 2., 1.]])?;
            law(f, &out, &d_out, &matrix(&[[11.], [3.]])?, rounding(0))
        })
        .law(Implementation, "values of one number", move |f| {
            law(
                f,
                &matrix(&[[2.], [3.]])?,
                &matrix(&[[5.], [-1.]])?,
                &matrix(&[[10.], [-3.]])?,
                rounding(0),
            )
        })
        .property(
            Gradients,
            "Σ out · d_out is Σ p · dp over the keys, the mean that a softmax's gradient subtracts",
            (1..5usize, 1..6usize, 1..5usize, 0..1000u64),
            move |f, (queries, keys, dim_v, seed)| {
                let [scores, value, d_out] = [(queries, keys), (keys, dim_v), (queries, dim_v)]
                    .map(|shape| seeded::normal(seed + (shape.0 * shape.1) as u64, shape));
                let (scores, value, d_out) = (scores?, value?.to_dtype(DType::F64)?, d_out?);
                let p = candle_nn::ops::softmax(&scores.to_dtype(DType::F64)?, D::Minus1)?;
                let d_p = d_out.to_dtype(DType::F64)?.matmul(&value.t()?)?;
                let expected = (&p * d_p)?.sum_keepdim(D::Minus1)?.to_dtype(DType::F32)?;
                let out = p.matmul(&value)?.to_dtype(DType::F32)?;
                // The output's own rounding, that of a product and that of a sum, dim_v times, of size 3 · 3.
                law(f, &out, &d_out, &expected, rounding(27 * dim_v))
            },
        )
        .law(Edges(why::DOUBLE), "f64 in, f64 out", move |f| {
            // f32 holds neither 0.1 nor 0.7: a detour through it is off by 1e-9.
            let [out, d_out, expected] = [[0.1, 0.7], [0.3, 0.9], [0.1 * 0.3 + 0.7 * 0.9, 0.]];
            let row = |numbers: &[f64]| Tensor::new(numbers, &Device::Cpu)?.unsqueeze(0);
            law(f, &row(&out)?, &row(&d_out)?, &row(&expected[..1])?, rounding(3))
        })
        .law(
            Edges(why::REFUSED),
            "shapes that differ are an error, even where one could be stretched",
            move |f| {
                let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
                let out = zeros((2, 3))?;
                for shape in [(2, 4), (3, 3), (1, 3), (2, 1)] {
                    let d_out = zeros(shape)?;
                    refused(&given(&out, &d_out), "their shapes differ", f(&out, &d_out))?;
                }
                Ok(())
            },
        )
}

/// Checks the backward pass of one tile: its queries `[q, d_out, lse, delta]`, k `(cols, d)`, v `(cols, d_v)`, a scale
/// and a keep-mask → what to add to d_q, d_k and d_v.
pub fn tile_backward<B: From<[Tensor; 4]>>(
    answer: impl Fn(&B, &Tensor, &Tensor, f64, Option<&Tensor>) -> Result<(Tensor, Tensor, Tensor)>
    + 'static,
) -> Verdict {
    tile_laws().judge(&move |block: &[Tensor; 4],
                             k: &Tensor,
                             v: &Tensor,
                             scale,
                             keep: Option<&Tensor>| {
        answer(&block.clone().into(), k, v, scale, keep)
    })
}

fn given(
    [q, d_out, lse, delta]: &[Tensor; 4],
    [k, v]: [&Tensor; 2],
    scale: f64,
    keep: Option<&Tensor>,
) -> String {
    let named = [("q", q), ("d_out", d_out), ("lse", lse), ("delta", delta), ("k", k), ("v", v)];
    remember(format!("{}\nscale: {scale}\nkeep: {}", inputs(&named), shown(keep)))
}

fn same_gradient(
    given: &str,
    answer: Result<Gradient>,
    [d_q, d_k, d_v]: &[Tensor; 3],
    rounding: Rounding,
) -> Outcome {
    let (our_q, our_k, our_v) = value(given, answer)?;
    let results = [
        ("d_q", same("", Ok(our_q), d_q, rounding)),
        ("d_k", same("", Ok(our_k), d_k, rounding)),
        ("d_v", same("", Ok(our_v), d_v, rounding)),
    ];
    together(given, &results)
}

/// The law for one tile, with numbers of size 2.
fn law(
    f: &TileBackward,
    block: &[Tensor; 4],
    [k, v]: [&Tensor; 2],
    (scale, keep): (f64, Option<&Tensor>),
    expected: [Tensor; 3],
) -> Outcome {
    let given = given(block, [k, v], scale, keep);
    same_gradient(&given, f(block, k, v, scale, keep), &expected, rounding(24))
}

/// The block of queries of a whole attention: the log-sum-exp and delta are those over all keys.
fn block_of(
    [q, k, v]: [&Tensor; 3],
    d_out: &Tensor,
    scale: f64,
    keep: Option<&Tensor>,
) -> Result<[Tensor; 4]> {
    let (out, lse) = reference::attention([q, k, v], scale, keep)?;
    let delta = (out * d_out)?.sum_keepdim(D::Minus1)?;
    Ok([q.clone(), d_out.clone(), lse, delta])
}

/// The law that the tiles' gradients, put together, are those of the whole attention.
fn agrees(
    f: &TileBackward,
    qkv: [&Tensor; 3],
    d_out: &Tensor,
    scale: f64,
    (keep, block_k): (Option<&Tensor>, usize),
    expected: &[Tensor; 3],
) -> Outcome {
    let [q, k, v] = qkv;
    let block = block_of(qkv, d_out, scale, keep)?;
    let (rows, d, keys) = (q.dim(0)?, q.dim(1)?, k.dim(0)?);
    let given = format!(
        "{}\nlooked at: the gradients of its tiles of {block_k} keys, put together",
        given(&block, [k, v], scale, keep)
    );
    let whole = || -> Result<Gradient> {
        let (mut d_q, mut d_k, mut d_v) = (q.zeros_like()?, vec![], vec![]);
        for start in (0..keys).step_by(block_k) {
            let cols = block_k.min(keys - start);
            let keep = keep.map(|keep| keep.narrow(1, start, cols)?.contiguous()).transpose()?;
            let (k, v) = (k.narrow(0, start, cols)?, v.narrow(0, start, cols)?);
            let (from_q, from_k, from_v) = f(&block, &k, &v, scale, keep.as_ref())?;
            d_q = (d_q + from_q)?;
            d_k.push(from_k);
            d_v.push(from_v);
        }
        Ok((d_q, Tensor::cat(&d_k, 0)?, Tensor::cat(&d_v, 0)?))
    };
    // A score has d products of size 3, delta and dp have d_v such products, and a gradient sums over rows or keys.
    let allowed = rounding(8 * (d + v.dim(1)?) + rows + keys + 8);
    same_gradient(&given, whole(), expected, allowed)
}

/// One query with scores 0 and ln 3, so weights ¼ and ¾, values 0 and 1, and an output gradient of 1.
fn two_keys() -> Result<([Tensor; 4], [Tensor; 2])> {
    let block = [matrix(&[[1.]])?, matrix(&[[1.]])?, matrix(&[[4f32.ln()]])?, matrix(&[[0.75]])?];
    Ok((block, [matrix(&[[0.], [3f32.ln()]])?, matrix(&[[0.], [1.]])?]))
}

fn tile_laws() -> Check<TileBackward> {
    let ln3 = 3f32.ln();
    Check::new("flash::tile_backward", wrong::flash::tile_backward())
        .law(
            Gradients,
            "scores 0 and ln 3, values 0 and 1: p is ¼ and ¾, ds = p (dp − delta) is −3⁄16 and 3⁄16",
            move |f| {
                let (block, [k, v]) = two_keys()?;
                let d_s = matrix(&[[-0.1875], [0.1875]])?;
                let expected = [matrix(&[[0.1875 * ln3]])?, d_s, matrix(&[[0.25], [0.75]])?];
                law(f, &block, [&k, &v], (1., None), expected)
            },
        )
        .law(
            Gradients,
            "values 2 and 1, the second key alone in its tile: its weight is still ¾, and delta 5⁄4, since lse and delta are of all keys",
            move |f| {
                // dp is 1: ds = ¾ · (1 − 5⁄4). A delta of this tile alone would be ¾.
                let ([q, d_out, lse, _], [k, _]) = two_keys()?;
                let block = [q, d_out, lse, matrix(&[[1.25]])?];
                let (k, v) = (k.narrow(0, 1, 1)?, matrix(&[[1.]])?);
                let expected = [matrix(&[[-0.1875 * ln3]])?, matrix(&[[-0.1875]])?, matrix(&[[0.75]])?];
                law(f, &block, [&k, &v], (1., None), expected)
            },
        )
        .law(
            Gradients,
            "a scale of ½: it is in the scores, so d_q and d_k have it as a factor, and d_v does not",
            move |f| {
                let ([_, d_out, lse, delta], [k, v]) = two_keys()?;
                let block = [matrix(&[[2.]])?, d_out, lse, delta];
                let d_k = matrix(&[[-0.1875], [0.1875]])?; // ½ · ds · 2
                let expected = [matrix(&[[0.09375 * ln3]])?, d_k, matrix(&[[0.25], [0.75]])?];
                law(f, &block, [&k, &v], (0.5, None), expected)
            },
        )
        .law(Gradients, "two queries, values of two numbers: each key collects from both queries", |f| {
            // All scores are 0, all weights ½: dp is (2, 6) and (0, 4), delta 4 and 2, ds (−1, 1) and (−1, 1).
            let q = matrix(&[[1., 1., 0.], [3., -3., 0.]])?;
            let k = matrix(&[[0., 0., 5.], [0., 0., 7.]])?;
            let v = matrix(&[[2., 0.], [2., 4.]])?;
            let d_out = matrix(&[[1., 1.], [0., 1.]])?;
            let block = [q, d_out, matrix(&[[2f32.ln()], [2f32.ln()]])?, matrix(&[[4.], [2.]])?];
            let expected = [
                matrix(&[[0., 0., 2.], [0., 0., 2.]])?,
                matrix(&[[-4., 2., 0.], [4., -2., 0.]])?,
                matrix(&[[0.5, 1.], [0.5, 1.]])?,
            ];
            law(f, &block, [&k, &v], (1., None), expected)
        })
        .law(
            Masks,
            "a hidden key (0 in `keep`) has weight 0: it gets no gradient, and gives none",
            move |f| {
                let (block, [k, v]) = two_keys()?;
                let k = Tensor::cat(&[k, matrix(&[[2.]])?], 0)?;
                let v = Tensor::cat(&[v, matrix(&[[9.]])?], 0)?;
                let keep = keep_where(1, 3, |_, key| key < 2)?;
                let d_k = matrix(&[[-0.1875], [0.1875], [0.]])?;
                let expected = [matrix(&[[0.1875 * ln3]])?, d_k, matrix(&[[0.25], [0.75], [0.]])?];
                law(f, &block, [&k, &v], (1., Some(&keep)), expected)
            },
        )
        .law(
            Masks,
            "a query that sees nothing (lse = −∞) gets and gives gradients of 0, not NaN",
            |f| {
                let never = f32::NEG_INFINITY;
                let block = [matrix(&[[1.]])?, matrix(&[[1.]])?, matrix(&[[never]])?, matrix(&[[0.]])?];
                let (k, v) = (matrix(&[[2.], [3.]])?, matrix(&[[4.], [5.]])?);
                let keep = keep_where(1, 2, |_, _| false)?;
                let zeros = matrix(&[[0.], [0.]])?;
                law(f, &block, [&k, &v], (1., Some(&keep)), [matrix(&[[0.]])?, zeros.clone(), zeros])
            },
        )
        .property(
            Gradients,
            "the gradients of all tiles, put together, are those of softmax attention, in any size",
            (1..5usize, 1..7usize, 1..5usize, 1..5usize, 1..8usize, 0..1000u64),
            |f, (rows, keys, d, dim_v, block_k, seed)| {
                let [q, k, v] = attention_inputs(seed, &[], [rows, keys, d, dim_v])?;
                let d_out = seeded::normal(seed + 3, (rows, dim_v))?;
                for keep in [None, Some(drawn_keep(seed, rows, keys)?)] {
                    let keep = keep.as_ref();
                    let expected = reference::backward([&q, &k, &v], &d_out, 0.7, keep)?;
                    agrees(f, [&q, &k, &v], &d_out, 0.7, (keep, block_k), &expected)?;
                }
                Ok(())
            },
        )
        .law(Gradients, "PyTorch's gradients of scaled_dot_product_attention", |f| {
            let fixtures = pytorch()?;
            for case in ["dense", "causal", "more_keys"] {
                let part = |part: &str| fixtures.get(&format!("{case}.{part}"));
                let [q, k, v, d_out] = ["q", "k", "v", "d_out"].map(part);
                let (q, k, v, d_out) = (q?, k?, v?, d_out?);
                let expected = [part("d_q")?, part("d_k")?, part("d_v")?];
                let scale = 1. / (q.dim(1)? as f64).sqrt();
                let keep = causal_keep(q.dim(0)?, k.dim(0)?)?;
                let keep = (case != "dense").then_some(&keep);
                agrees(f, [&q, &k, &v], &d_out, scale, (keep, 4), &expected)?;
            }
            Ok(())
        })
        .law(Edges(why::HUGE), "scores of ±1000: weights stay below 1, since lse is as large", |f| {
            let (k, v) = (matrix(&[[100.], [100.]])?, matrix(&[[0.], [1.]])?);
            for q in [10f32, -10.] {
                // Both weights are ½: ds is −¼ and ¼. An f32 of this size is rounded to 2⁻¹⁴, 512 ε.
                let lse = matrix(&[[q * 100. + 2f32.ln()]])?;
                let block = [matrix(&[[q]])?, matrix(&[[1.]])?, lse, matrix(&[[0.5]])?];
                let expected = [matrix(&[[0.]])?, matrix(&[[-q / 4.], [q / 4.]])?, matrix(&[[0.5], [0.5]])?];
                let given = given(&block, [&k, &v], 1., None);
                same_gradient(&given, f(&block, &k, &v, 1., None), &expected, rounding(512))?;
            }
            Ok(())
        })
        .law(Edges(why::DOUBLE), "f64 in, f64 out", |f| {
            let [q, k, v] = attention_inputs(3, &[], [3, 4, 5, 2])?;
            let [q, k, v] = [q, k, v].map(|x| x.to_dtype(DType::F64));
            let (q, k, v) = (q?, k?, v?);
            let d_out = seeded::normal(6, (3, 2))?.to_dtype(DType::F64)?;
            let keep = drawn_keep(3, 3, 4)?;
            let expected = reference::backward([&q, &k, &v], &d_out, 0.5, Some(&keep))?;
            agrees(f, [&q, &k, &v], &d_out, 0.5, (Some(&keep), 3), &expected)
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error, a mask of one row for two queries, too", |f| {
            let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let block = |d_out| -> Result<[Tensor; 4]> {
                Ok([zeros((2, 3))?, zeros(d_out)?, zeros((2, 1))?, zeros((2, 1))?])
            };
            for (d_out, k, v, why) in [
                ((2, 5), (4, 2), (4, 5), "k has another d than q"),
                ((2, 5), (4, 3), (3, 5), "there are fewer values than keys"),
                ((2, 4), (4, 3), (4, 5), "d_out has another d_v than v"),
                ((3, 5), (4, 3), (4, 5), "d_out has another number of rows than q"),
            ] {
                let (block, k, v) = (block(d_out)?, zeros(k)?, zeros(v)?);
                refused(&given(&block, [&k, &v], 1., None), why, f(&block, &k, &v, 1., None))?;
            }
            let (block, k, v) = (block((2, 5))?, zeros((4, 3))?, zeros((4, 5))?);
            for (rows, columns) in [(4, 2), (1, 4), (2, 1)] {
                let keep = keep_where(rows, columns, |_, _| true)?;
                let given = given(&block, [&k, &v], 1., Some(&keep));
                refused(&given, "keep is not (2, 4)", f(&block, &k, &v, 1., Some(&keep)))?;
            }
            Ok(())
        })
}
