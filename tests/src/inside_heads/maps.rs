//! What entropy and diversity must hold.

use super::{drawn, heads, nested, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Weights},
        Outcome,
        cases::{matrix, row},
        compare::{refused, rounding, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::f32::consts::LN_2;

/// `attention_entropy`, `previous_token_score`: weights to one number per head.
pub type Measure = dyn Fn(&Tensor) -> Result<Tensor>;
/// `head_diversity`: one map per layer and the real tokens to a table of distances.
pub type Distances = dyn Fn(&[Tensor], &Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [entropy_laws().proofs(), diversity_laws().proofs()].into_iter().flatten().collect()
}

/// Checks the mean entropy of each head: `(batch, heads, seq_q, seq_k)` → `(heads)`.
pub fn attention_entropy(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    entropy_laws().judge(&answer)
}

/// Term after term, in f64.
fn entropy_reference(weights: &Tensor) -> Result<Tensor> {
    let (batch, heads, seq_q, _) = weights.dims4()?;
    let mut sums = vec![0.; heads];
    for entry in nested(weights)? {
        for (sum, map) in sums.iter_mut().zip(&entry) {
            let terms = map.iter().flatten().filter(|&&w| w > 0.).map(|w| -w * w.ln());
            *sum += terms.sum::<f64>() / (batch * seq_q) as f64;
        }
    }
    Tensor::new(sums, weights.device())?.to_dtype(weights.dtype())
}

fn entropy_laws() -> Check<Measure> {
    // A logarithm and a product a term, and sums over at most 6 keys, 5 queries and 3 entries of the batch.
    let law = |f: &Measure, weights: Tensor, expected: Tensor| {
        same(&inputs(&[("weights", &weights)]), f(&weights), &expected, rounding(32))
    };
    Check::new("inside_heads::attention_entropy", wrong::inside_heads::attention_entropy())
        .law(Weights, "three keys with the same weight each: ln 3", move |f| {
            law(f, heads(&[[[1. / 3.; 3]]])?, row(&[3f32.ln()])?)
        })
        .law(
            Weights,
            "each head has its own; a weight of 0 adds 0, so one key alone gives 0",
            move |f| {
                let weights = heads(&[[[1., 0., 0.]], [[0.5, 0.5, 0.]]])?;
                law(f, weights, row(&[0., LN_2])?)
            },
        )
        .law(Weights, "weights that differ: ¼ and ¾ give ¼ ln 4 + ¾ ln 4⁄3", move |f| {
            let expected = 0.25 * 4f32.ln() + 0.75 * (4f32 / 3.).ln();
            law(f, heads(&[[[0.25, 0.75]]])?, row(&[expected])?)
        })
        .law(Weights, "the mean over queries of their entropies: 0 and ln 2", move |f| {
            law(f, heads(&[[[1., 0.], [0.5, 0.5]]])?, row(&[LN_2 / 2.])?)
        })
        .law(
            Weights,
            "queries that look at one key each have entropy 0, wherever they look",
            move |f| law(f, heads(&[[[1., 0.], [0., 1.]]])?, row(&[0.])?),
        )
        .law(Weights, "the mean over the batch: 0, ln 2 and ln 2", move |f| {
            let (one, two) = (heads(&[[[1., 0.]]])?, heads(&[[[0.5, 0.5]]])?);
            law(f, Tensor::cat(&[&one, &two, &two], 0)?, row(&[LN_2 * 2. / 3.])?)
        })
        .property(
            Weights,
            "−Σ w ln w for every query, in any size",
            (1..4usize, 1..4usize, 1..6usize, 1..7usize, 0..1000u64),
            move |f, (batch, heads, seq_q, seq_k, seed)| {
                let weights = drawn(seed, (batch, heads, seq_q, seq_k))?;
                let expected = entropy_reference(&weights)?;
                law(f, weights, expected)
            },
        )
        .law(
            Edges("a thousand keys with a millionth each are a thousandth of the weight, and a seventieth of the entropy."),
            "small weights count in full: 1 − 2⁻²⁰ and 2⁻²⁰, in f64",
            move |f| {
                let small = 2f64.powi(-20);
                let weights = Tensor::new(&[[[[1. - small, small]]]], &Device::Cpu)?;
                let expected = entropy_reference(&weights)?;
                law(f, weights, expected)
            },
        )
        .law(Edges(why::DOUBLE), "f64 weights are measured in f64", move |f| {
            let weights = drawn(1, (2, 2, 3, 4))?.to_dtype(DType::F64)?;
            let expected = entropy_reference(&weights)?;
            law(f, weights, expected)
        })
        .law(
            Edges("in f16 a sum of many small terms is mostly rounding, and 0 · ln 0 comes back: the smallest f32 is 0 there."),
            "weights that are neither f32 nor f64 are an error",
            |f| {
                for dtype in [DType::F16, DType::BF16, DType::U32] {
                    let weights = heads(&[[[0., 1.]]])?.to_dtype(dtype)?;
                    let given = inputs(&[("weights", &weights)]);
                    refused(&given, "only f32 and f64 are measured", f(&weights))?;
                }
                Ok(())
            },
        )
        .law(
            Edges(why::REFUSED),
            "weights without four dimensions, or empty ones, are an error",
            |f| {
                let shapes: [&[usize]; 5] =
                    [&[2, 3], &[0, 2, 3, 3], &[1, 0, 3, 3], &[1, 2, 0, 3], &[1, 2, 3, 0]];
                for shape in shapes {
                    let weights = zeros(shape)?;
                    let given = inputs(&[("weights", &weights)]);
                    refused(&given, "there is no query to take a mean over", f(&weights))?;
                }
                Ok(())
            },
        )
}

/// Checks the distances between all heads of all layers: maps `(batch, heads, seq_q, seq_k)` and `(batch, seq_q)` →
/// `(n, n)`.
pub fn head_diversity(answer: impl Fn(&[Tensor], &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    diversity_laws().judge(&answer)
}

fn given(maps: &[Tensor], real: &Tensor) -> String {
    let names: Vec<String> = (0..maps.len()).map(|layer| format!("maps[{layer}]")).collect();
    let mut named: Vec<_> = names.iter().map(String::as_str).zip(maps).collect();
    named.push(("real", real));
    match maps.is_empty() {
        true => remember(format!("maps: none\n{}", inputs(&named))),
        false => inputs(&named),
    }
}

/// Query after query, in f64.
fn diversity_reference(maps: &[Tensor], real: &Tensor) -> Result<Tensor> {
    let heads = Tensor::cat(maps, 1)?;
    let n = heads.dim(1)?;
    let real = real.to_vec2::<u8>()?;
    let (mut table, mut count) = (vec![0.; n * n], 0.);
    for (entry, real) in nested(&heads)?.iter().zip(&real) {
        for query in (0..real.len()).filter(|&query| real[query] == 1) {
            count += 1.;
            for (at, sum) in table.iter_mut().enumerate() {
                let rows = entry[at / n][query].iter().zip(&entry[at % n][query]);
                *sum += rows.map(|(w, u)| (w - u).abs() / 2.).sum::<f64>();
            }
        }
    }
    let table = table.into_iter().map(|sum| sum / count).collect();
    Tensor::from_vec(table, (n, n), heads.device())?.to_dtype(heads.dtype())
}

fn real<const B: usize, const Q: usize>(real: &[[u8; Q]; B]) -> Result<Tensor> {
    Tensor::new(real, &Device::Cpu)
}

fn diversity_laws() -> Check<Distances> {
    // Sums over at most 4 keys, 4 queries and 3 entries of the batch, a product and a division.
    let law = |f: &Distances, maps: &[Tensor], real: Tensor, expected: Tensor| -> Outcome {
        same(&given(maps, &real), f(maps, &real), &expected, rounding(64))
    };
    Check::new("inside_heads::head_diversity", wrong::inside_heads::head_diversity())
        .law(
            Weights,
            "two heads that look at different keys are 1 apart; each is 0 from itself",
            move |f| {
                let map = heads(&[[[1., 0.]], [[0., 1.]]])?;
                law(f, &[map], real(&[[1]])?, matrix(&[[0., 1.], [1., 0.]])?)
            },
        )
        .law(Weights, "half the sum of the absolute differences", move |f| {
            // |0.5 − 0.25| + |0.5 − 0.25| + |0 − 0.5| = 1, halved.
            let map = heads(&[[[0.5, 0.5, 0.]], [[0.25, 0.25, 0.5]]])?;
            law(f, &[map], real(&[[1]])?, matrix(&[[0., 0.5], [0.5, 0.]])?)
        })
        .law(
            Weights,
            "heads of different layers are compared too; the first layer's come first",
            move |f| {
                let first = heads(&[[[1., 0.]], [[0.5, 0.5]]])?;
                let second = heads(&[[[0.75, 0.25]]])?;
                let expected = [[0., 0.5, 0.25], [0.5, 0., 0.25], [0.25, 0.25, 0.]];
                law(f, &[first, second], real(&[[1]])?, matrix(&expected)?)
            },
        )
        .law(Weights, "the mean over queries: 1 and 0", move |f| {
            let map = heads(&[[[1., 0.], [1., 0.]], [[0., 1.], [1., 0.]]])?;
            law(f, &[map], real(&[[1, 1]])?, matrix(&[[0., 0.5], [0.5, 0.]])?)
        })
        .law(Weights, "differences of opposite sign do not cancel", move |f| {
            // The heads swap their keys from query to query.
            let map = heads(&[[[1., 0.], [0., 1.]], [[0., 1.], [1., 0.]]])?;
            law(f, &[map], real(&[[1, 1]])?, matrix(&[[0., 1.], [1., 0.]])?)
        })
        .law(Weights, "a query that is padding does not count", move |f| {
            // 1 apart where it counts, and ½ where it does not.
            let map = heads(&[[[1., 0.], [1., 0.]], [[0., 1.], [0.5, 0.5]]])?;
            law(f, &[map], real(&[[1, 0]])?, matrix(&[[0., 1.], [1., 0.]])?)
        })
        .law(
            Weights,
            "every real query of the batch counts the same, in long sequences and in short ones",
            move |f| {
                // 0 and 0 in the long one, 1 in the short one.
                let alike = heads(&[[[1., 0.], [1., 0.]], [[1., 0.], [1., 0.]]])?;
                let apart = heads(&[[[1., 0.], [1., 0.]], [[0., 1.], [0., 1.]]])?;
                let map = Tensor::cat(&[alike, apart], 0)?;
                let third = 1. / 3.;
                let expected = matrix(&[[0., third], [third, 0.]])?;
                law(f, &[map], real(&[[1, 1], [1, 0]])?, expected)
            },
        )
        .property(
            Weights,
            "½ Σ |w − u|, its mean over the real queries, for any two heads in any size",
            (1..4usize, 1..3usize, 1..4usize, 1..5usize, 1..5usize, 0..1000u64),
            move |f, (batch, layers, heads, seq_q, seq_k, seed)| {
                let layer = |at| drawn(seed + at as u64, (batch, heads, seq_q, seq_k));
                let maps = (0..layers).map(layer).collect::<Result<Vec<_>>>()?;
                let count = |at: usize| (at * 7 + seed as usize) % seq_q + 1;
                let real: Vec<u8> =
                    (0..batch * seq_q).map(|at| u8::from(at % seq_q < count(at / seq_q))).collect();
                let real = Tensor::from_vec(real, (batch, seq_q), &Device::Cpu)?;
                let expected = diversity_reference(&maps, &real)?;
                law(f, &maps, real, expected)
            },
        )
        .law(Edges(why::COUNT), "300 real queries, more than a u8 can count", move |f| {
            let map = heads(&[[[1., 0.]], [[0., 1.]]])?.repeat((1, 1, 300, 1))?;
            let real = Tensor::ones((1, 300), DType::U8, &Device::Cpu)?;
            law(f, &[map], real, matrix(&[[0., 1.], [1., 0.]])?)
        })
        .law(
            Edges(why::DOUBLE),
            "one head is 0 from itself; f64 maps are compared in f64",
            move |f| {
                law(f, &[heads(&[[[0.5, 0.5]]])?], real(&[[1]])?, matrix(&[[0.]])?)?;
                let maps = [drawn(1, (2, 3, 2, 4))?.to_dtype(DType::F64)?];
                let real = real(&[[1, 1], [1, 0]])?;
                let expected = diversity_reference(&maps, &real)?;
                law(f, &maps, real, expected)
            },
        )
        .law(Edges(why::REFUSED), "no layer, or no real query, is an error", |f| {
            let one = real(&[[1]])?;
            refused(&given(&[], &one), "there is no head", f(&[], &one))?;
            let (map, none) = ([heads(&[[[0.5, 0.5]], [[1., 0.]]])?], real(&[[0]])?);
            refused(&given(&map, &none), "a mean over nothing is 0 / 0", f(&map, &none))
        })
        .law(Edges(why::REFUSED), "shapes that do not fit are an error", |f| {
            let map = drawn(1, (2, 2, 3, 3))?;
            let why = "real has one number for each query of each sequence";
            for dims in [&[2, 2][..], &[1, 3], &[3], &[2, 3, 1]] {
                let real = Tensor::ones(dims, DType::U8, &Device::Cpu)?;
                let maps = [map.clone()];
                refused(&given(&maps, &real), why, f(&maps, &real))?;
            }
            let real = Tensor::ones((2, 3), DType::U8, &Device::Cpu)?;
            for other in [drawn(2, (1, 2, 3, 3))?, drawn(2, (2, 2, 3, 4))?] {
                let maps = [map.clone(), other];
                let why = "all layers saw the same queries and keys";
                refused(&given(&maps, &real), why, f(&maps, &real))?;
            }
            Ok(())
        })
}
