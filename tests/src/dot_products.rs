//! Week 1: what similarity, scores, weights and the soft lookup must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        Outcome,
        cases::{attention_inputs, matrix, row},
        compare::{Breach, exactly, refused, rounding, same, value},
        fixtures::Fixtures,
        gradient::gradients_agree,
        show,
    },
    wrong,
};
use candle_core::{D, DType, Device, IndexOp, Result, Tensor};

/// `dot`, `cosine_similarity`: paired vectors to one number each.
pub(crate) type Pairs = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;
/// `scores`: query and key; `weighted_average`: weights and value.
pub(crate) type Product = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;
/// `top_k`: scores and how many.
pub(crate) type TopK = dyn Fn(&Tensor, usize) -> Result<Vec<usize>>;
/// `naive_softmax`: scores to weights.
pub(crate) type Normalise = dyn Fn(&Tensor) -> Result<Tensor>;
/// `soft_lookup`: query, key, value to output and weights.
pub(crate) type Lookup = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)>;

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/dot_products.safetensors"))
}

/// The wrong answers of week 1, judged.
pub(crate) fn zoo() -> Vec<Proof> {
    [
        dot_laws().proofs(),
        cosine_laws().proofs(),
        scores_laws().proofs(),
        top_k_laws().proofs(),
        naive_softmax_laws().proofs(),
        weighted_average_laws().proofs(),
        soft_lookup_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn scalar(value: f32) -> Result<Tensor> {
    Tensor::new(value, &Device::Cpu)
}

fn ones(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::ones(shape, dtype, &Device::Cpu)
}

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F32, &Device::Cpu)
}

/// The rows of the second-last dimension in the opposite order.
fn turned(rows: &Tensor) -> Result<Tensor> {
    let n = rows.dim(D::Minus2)?;
    let order: Vec<u32> = (0..n as u32).rev().collect();
    let at = Tensor::new(order, rows.device())?;
    rows.contiguous()?.index_select(&at, rows.rank() - 2)
}

/// The law that two tensors, called by their names, give `expected`.
fn pair(
    names: [&str; 2],
    f: &Pairs,
    [a, b]: [&Tensor; 2],
    expected: &Tensor,
    units: usize,
) -> Outcome {
    let given = show::inputs(&[(names[0], a), (names[1], b)]);
    same(&given, f(a, b), expected, rounding(units))
}

/// The law that vectors are paired only when the shapes are equal, also where broadcasting would make them fit.
fn unequal_shapes_are_refused(f: &Pairs) -> Outcome {
    let cases = [
        (row(&[1., 2., 3.])?, row(&[1., 2.])?, "3 and 2 numbers cannot be paired"),
        (row(&[1., 2., 3.])?, row(&[2.])?, "3 numbers and 1 cannot be paired"),
        (
            matrix(&[[1., 2.], [3., 4.]])?,
            row(&[1., 2.])?,
            "`a` has two rows, `b` is a single vector",
        ),
    ];
    cases
        .iter()
        .try_for_each(|(a, b, why)| refused(&show::inputs(&[("a", a), ("b", b)]), why, f(a, b)))
}

/// Checks the dot product of paired vectors: `(…, dim)`, `(…, dim)` → `(…)`.
pub fn dot(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    dot_laws().judge(&answer)
}

fn dot_laws() -> Check<Pairs> {
    let law = |f: &Pairs, a: &Tensor, b: &Tensor, expected: &Tensor, units| {
        pair(["a", "b"], f, [a, b], expected, units)
    };
    Check::new("dot_products::dot", wrong::dot_products::dot())
        .law(
            Implementation,
            "numbers at the same place are multiplied, and the products added up: 1·4 + 2·(−5) + 3·6 = 12",
            move |f| law(f, &row(&[1., 2., 3.])?, &row(&[4., -5., 6.])?, &scalar(12.)?, 4),
        )
        .law(
            Implementation,
            "perpendicular vectors have a dot product of 0; opposite ones a negative one",
            move |f| {
                law(f, &row(&[3., 4.])?, &row(&[-4., 3.])?, &scalar(0.)?, 1)?;
                law(f, &row(&[3., 4.])?, &row(&[-3., -4.])?, &scalar(-25.)?, 1)
            },
        )
        .law(
            Implementation,
            "row i of `a` meets row i of `b`: one number a row",
            move |f| {
                let (a, b) = (matrix(&[[1., 0.], [2., 3.], [0., 1.]])?, matrix(&[[5., 7.], [1., 1.], [2., 4.]])?);
                law(f, &a, &b, &row(&[5., 5., 4.])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (batch, heads, seq, head_dim)",
            move |f| {
                let fixtures = pytorch()?;
                law(f, &fixtures.get("pairs.a")?, &fixtures.get("pairs.b")?, &fixtures.get("pairs.dot")?, 8)
            },
        )
        .property(
            Implementation,
            "it is symmetric: a·b = b·a",
            (1..4usize, 1..8usize, 0..1000u64),
            move |f, (rows, dim, seed)| {
                let (a, b) = (seeded::normal(seed, (rows, dim))?, seeded::normal(seed + 1, (rows, dim))?);
                let expected = value(&show::inputs(&[("a", &b), ("b", &a)]), f(&b, &a))?;
                law(f, &a, &b, &expected, 2 * dim)
            },
        )
        .property(
            Implementation,
            "it is linear in each argument: (c a + e)·b = c (a·b) + e·b",
            (1..8usize, -4f32..4f32, 0..1000u64),
            move |f, (dim, factor, seed)| {
                let draw = |at| seeded::normal(seed + at, dim);
                let (a, e, b) = (draw(0)?, draw(1)?, draw(2)?);
                let mixed = ((&a * f64::from(factor))? + &e)?;
                let named = |x| show::inputs(&[("a", x), ("b", &b)]);
                let expected = ((value(&named(&a), f(&a, &b))? * f64::from(factor))? + value(&named(&e), f(&e, &b))?)?;
                // Numbers of size ≤ 4 · 4 · 4, `dim` products on each side.
                law(f, &mixed, &b, &expected, 64 * (dim + 2))
            },
        )
        .law(
            Edges,
            "shapes that differ are an error, also where broadcasting would make them fit",
            unequal_shapes_are_refused,
        )
        .law(Edges, "one number each, no rows, and f64 work alike", move |f| {
            law(f, &row(&[3.])?, &row(&[-2.])?, &scalar(-6.)?, 1)?;
            law(f, &zeros(&[0, 3])?, &zeros(&[0, 3])?, &zeros(&[0])?, 1)?;
            let a = Tensor::new(&[1f64, 1e-12], &Device::Cpu)?;
            law(f, &a, &ones(&[2], DType::F64)?, &Tensor::new(1f64 + 1e-12, &Device::Cpu)?, 2)
        })
        .law(Gradients, "gradients reach both vectors and are right", |f| {
            let (a, b) = (seeded::normal(1, (2, 3))?, seeded::normal(2, (2, 3))?);
            gradients_agree(&[("a", &a), ("b", &b)], |inputs| f(&inputs[0], &inputs[1]))
        })
}

/// Checks the cosine of the angle between paired vectors: `(…, dim)`, `(…, dim)` → `(…)`.
pub fn cosine_similarity(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    cosine_laws().judge(&answer)
}

fn cosine_laws() -> Check<Pairs> {
    let law = |f: &Pairs, a: &Tensor, b: &Tensor, expected: &Tensor, units| {
        pair(["a", "b"], f, [a, b], expected, units)
    };
    Check::new("dot_products::cosine_similarity", wrong::dot_products::cosine_similarity())
        .law(
            Implementation,
            "the dot product is divided by both norms: (3, 4)·(8, 6) / (5 · 10) = 48 / 50",
            move |f| law(f, &row(&[3., 4.])?, &row(&[8., 6.])?, &scalar(0.96)?, 4),
        )
        .law(
            Implementation,
            "1 for the same direction, 0 for a right angle, −1 for opposite directions, row by row",
            move |f| {
                let (a, b) = (
                    matrix(&[[1., 2.], [3., 0.], [0., 2.]])?,
                    matrix(&[[3., 6.], [0., 5.], [0., -4.]])?,
                );
                law(f, &a, &b, &row(&[1., 0., -1.])?, 4)
            },
        )
        .law(Edges, "a vector of zeros has no direction: its similarity is 0, not NaN", move |f| {
            let (a, b) = (matrix(&[[0., 0.], [1., 1.]])?, matrix(&[[1., 2.], [2., 2.]])?);
            law(f, &a, &b, &row(&[0., 1.])?, 4)?;
            law(f, &zeros(&[2])?, &zeros(&[2])?, &scalar(0.)?, 1)
        })
        .law(
            Edges,
            "tiny vectors have a direction too: nothing visible is added to the norms",
            move |f| law(f, &row(&[1e-6, 0.])?, &row(&[3e-3, 4e-3])?, &scalar(0.6)?, 8),
        )
        .law(Edges, "each norm counts as at least 1e-8: 1e-9 · 2 / (1e-8 · 2) = 0.1", move |f| {
            law(f, &row(&[1e-9, 0.])?, &row(&[2., 0.])?, &scalar(0.1)?, 8)
        })
        .property(
            Implementation,
            "lengths do not matter: stretching a vector by a positive factor changes nothing",
            (1..8usize, 0.01f32..100f32, 0..1000u64),
            move |f, (dim, factor, seed)| {
                let (a, b) = (seeded::normal(seed, (2, dim))?, seeded::normal(seed + 1, (2, dim))?);
                let expected = value(&show::inputs(&[("a", &a), ("b", &b)]), f(&a, &b))?;
                law(f, &(&a * f64::from(factor))?, &b, &expected, 4 * (dim + 4))
            },
        )
        .property(
            Implementation,
            "the result lies between −1 and 1",
            (1..8usize, 0..1000u64),
            |f, (dim, seed)| {
                let (a, b) = (seeded::normal(seed, (2, dim))?, seeded::normal(seed + 1, (2, dim))?);
                let given = show::inputs(&[("a", &a), ("b", &b)]);
                let allowed = 1. + (dim + 4) as f32 * f32::EPSILON;
                let got = value(&given, f(&a, &b))?;
                let inside = value(&given, got.clamp(-allowed, allowed))?;
                same(&given, Ok(got), &inside, exactly())
            },
        )
        .law(Implementation, "equals PyTorch's over (batch, heads, seq, head_dim)", move |f| {
            let fixtures = pytorch()?;
            law(
                f,
                &fixtures.get("pairs.a")?,
                &fixtures.get("pairs.b")?,
                &fixtures.get("pairs.cosine")?,
                16,
            )
        })
        .law(
            Edges,
            "shapes that differ are an error, also where broadcasting would make them fit",
            unequal_shapes_are_refused,
        )
        .law(Gradients, "gradients reach both vectors and are right", |f| {
            let (a, b) = (seeded::normal(3, (2, 3))?, seeded::normal(4, (2, 3))?);
            gradients_agree(&[("a", &a), ("b", &b)], |inputs| f(&inputs[0], &inputs[1]))
        })
}

/// Checks Q·Kᵀ: `(…, seq_q, dim)`, `(…, seq_k, dim)` → `(…, seq_q, seq_k)`.
pub fn scores(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    scores_laws().judge(&answer)
}

fn scores_laws() -> Check<Product> {
    let law = |f: &Product, query: &Tensor, key: &Tensor, expected: &Tensor, units| {
        pair(["query", "key"], f, [query, key], expected, units)
    };
    Check::new("dot_products::scores", wrong::dot_products::scores())
        .law(
            Implementation,
            "entry (i, j) is the dot product of query i with key j",
            move |f| {
                let (query, key) = (matrix(&[[1., 2.], [0., 3.]])?, matrix(&[[1., 0.], [4., 1.]])?);
                law(f, &query, &key, &matrix(&[[1., 6.], [0., 3.]])?, 4)
            },
        )
        .law(
            Implementation,
            "one row a query, one column a key: their numbers may differ",
            move |f| {
                let (query, key) = (matrix(&[[1., 2.]])?, matrix(&[[1., 0.], [0., 1.], [-1., 1.]])?);
                law(f, &query, &key, &matrix(&[[1., 2., 1.]])?, 4)
            },
        )
        .law(
            Implementation,
            "over (batch, seq, dim), the queries of one batch element meet the keys of the same one",
            move |f| {
                let (query, key) = (matrix(&[[1., 0.], [1., 0.]])?, matrix(&[[2., 5.], [7., 5.]])?);
                let expected = matrix(&[[2.], [7.]])?;
                law(f, &query.unsqueeze(1)?, &key.unsqueeze(1)?, &expected.unsqueeze(1)?, 2)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
            move |f| {
                let fixtures = pytorch()?;
                for name in ["matrix", "batch", "heads"] {
                    let get = |part: &str| fixtures.get(&format!("lookup.{name}.{part}"));
                    law(f, &get("query")?, &get("key")?, &get("scores")?, 12)?;
                }
                Ok(())
            },
        )
        .property(
            Implementation,
            "keys in another order give the same columns in that order; queries, the same rows",
            (1..4usize, 1..5usize, 1..5usize, 0..1000u64),
            move |f, (seq_q, seq_k, dim, seed)| {
                let [query, key, _] = attention_inputs(seed, &[2], [seq_q, seq_k, dim, 1])?;
                let plain = value(&show::inputs(&[("query", &query), ("key", &key)]), f(&query, &key))?;
                let columns = plain.transpose(1, 2)?;
                law(f, &query, &turned(&key)?, &turned(&columns)?.transpose(1, 2)?, 2 * dim)?;
                law(f, &turned(&query)?, &key, &turned(&plain)?, 2 * dim)
            },
        )
        .property(
            Implementation,
            "scored against itself, a sequence gives a symmetric matrix",
            (1..5usize, 1..6usize, 0..1000u64),
            move |f, (seq, dim, seed)| {
                let x = seeded::normal(seed, (seq, dim))?;
                let given = show::inputs(&[("query and key", &x)]);
                let ours = value(&given, f(&x, &x))?;
                same(&given, ours.t(), &ours, rounding(8 * dim))
            },
        )
        .law(
            Edges,
            "no queries give no rows, no keys no columns: never a panic",
            move |f| {
                law(f, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 3])?, 1)?;
                law(f, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 0])?, 1)
            },
        )
        .law(
            Edges,
            "vectors of different lengths, or leading dimensions that differ, are an error",
            |f| {
                for (query, key, why) in [
                    (zeros(&[2, 3])?, zeros(&[3, 2])?, "query has 3 numbers a vector, key has 2"),
                    (zeros(&[2, 3, 4])?, zeros(&[3, 3, 4])?, "query has a batch of 2, key of 3"),
                    (zeros(&[1, 3, 4])?, zeros(&[2, 3, 4])?, "query has a batch of 1, key of 2: nothing is broadcast"),
                    (zeros(&[3, 4])?, zeros(&[2, 3, 4])?, "query has no batch, key has one of 2"),
                    (
                        zeros(&[2, 3, 1, 4])?,
                        zeros(&[3, 2, 1, 4])?,
                        "query has 2 batch elements of 3 heads, key 3 of 2",
                    ),
                ] {
                    let given = show::inputs(&[("query", &query), ("key", &key)]);
                    refused(&given, why, f(&query, &key))?;
                }
                Ok(())
            },
        )
        .law(Edges, "f64 in, f64 out, to f64's precision", move |f| {
            let query = Tensor::new(&[[1f64, 1e-12]], &Device::Cpu)?;
            let expected = Tensor::new(&[[1f64 + 1e-12]], &Device::Cpu)?;
            law(f, &query, &ones(&[1, 2], DType::F64)?, &expected, 2)
        })
        .law(Gradients, "gradients reach query and key and are right", |f| {
            let [query, key, _] = attention_inputs(5, &[2], [2, 3, 4, 1])?;
            gradients_agree(&[("query", &query), ("key", &key)], |inputs| f(&inputs[0], &inputs[1]))
        })
}

/// Checks the positions of the k highest scores.
pub fn top_k(answer: impl Fn(&Tensor, usize) -> Result<Vec<usize>> + 'static) -> Verdict {
    top_k_laws().judge(&answer)
}

fn top_k_laws() -> Check<TopK> {
    let given = |scores: &Tensor, k: usize| {
        show::remember(format!("{}\nk: {k}", show::inputs(&[("scores", scores)])))
    };
    let law = move |f: &TopK, scores: &Tensor, k: usize, expected: &[usize]| {
        let given = given(scores, k);
        let got = value(&given, f(scores, k))?;
        if got == expected {
            return Ok(());
        }
        Err(Breach::text(&given, &format!("{expected:?}"), &format!("{got:?}")))
    };
    Check::new("dot_products::top_k", wrong::dot_products::top_k())
        .law(Implementation, "the positions of the k highest scores, the highest first", move |f| {
            law(f, &row(&[0.1, 1.5, -1., 2.])?, 2, &[3, 1])
        })
        .law(
            Implementation,
            "higher means further to the right on the number line: −1 is higher than −3",
            move |f| law(f, &row(&[-3., -1., 2., -2.])?, 3, &[2, 1, 3]),
        )
        .law(Implementation, "of equal scores, the earlier position comes first", move |f| {
            law(f, &row(&[1., 2., 2., 1.])?, 3, &[1, 2, 0])?;
            // An unstable sort keeps short lists in order: 64 scores, 0 and 1 in turn.
            let turns: Vec<f32> = (0..64).map(|at| (at % 2) as f32).collect();
            let expected: Vec<usize> = (1..64).step_by(2).chain((0..64).step_by(2)).collect();
            law(f, &row(&turns)?, 64, &expected)
        })
        .law(
            Edges,
            "−∞ is a score like any other, the lowest: a masked key can be chosen, once",
            move |f| {
                let hidden = f32::NEG_INFINITY;
                law(f, &row(&[hidden, 1., hidden])?, 3, &[1, 0, 2])
            },
        )
        .law(Implementation, "equals PyTorch's topk: 10 of 24 random scores", move |f| {
            let fixtures = pytorch()?;
            let positions = fixtures.get("top_k.positions")?.to_vec1::<u32>()?;
            let positions: Vec<usize> = positions.into_iter().map(|at| at as usize).collect();
            law(f, &fixtures.get("top_k.scores")?, positions.len(), &positions)
        })
        .property(
            Implementation,
            "a smaller k gives the beginning of what a larger one gives",
            (1..9usize, 0..1000u64),
            move |f, (n, seed)| {
                let scores = seeded::normal(seed, n)?;
                let all = value(&given(&scores, n), f(&scores, n))?;
                (0..n).try_for_each(|k| law(f, &scores, k, all.get(..k).unwrap_or(&all)))
            },
        )
        .property(
            Implementation,
            "adding a number to all scores, or stretching them all, moves no position",
            (1..9usize, 0.5f32..4f32, -3f32..3f32, 0..1000u64),
            move |f, (n, factor, shift, seed)| {
                let scores = seeded::normal(seed, n)?;
                let expected = value(&given(&scores, n), f(&scores, n))?;
                law(f, &((&scores * f64::from(factor))? + f64::from(shift))?, n, &expected)
            },
        )
        .law(Edges, "k = 0 gives none; k above the number of scores is an error", move |f| {
            let scores = row(&[1., 2.])?;
            law(f, &scores, 0, &[])?;
            refused(&given(&scores, 3), "there are only 2 scores", f(&scores, 3))
        })
        .law(Edges, "f64 scores are compared as f64", move |f| {
            law(f, &Tensor::new(&[1f64, 1. + 1e-12], &Device::Cpu)?, 1, &[1])
        })
        .law(Edges, "a NaN among the scores is no reason to panic", |f| {
            // An error is as good as any order.
            let _ = f(&row(&[1., f32::NAN, 2.])?, 2);
            Ok(())
        })
}

/// Checks exp over its sum: scores to positive weights that sum to one. Large scores may overflow.
pub fn naive_softmax(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    naive_softmax_laws().judge(&answer)
}

fn naive_softmax_laws() -> Check<Normalise> {
    let law = |f: &Normalise, scores: &Tensor, expected: &Tensor, units| {
        same(&show::inputs(&[("scores", scores)]), f(scores), expected, rounding(units))
    };
    Check::new("dot_products::naive_softmax", wrong::dot_products::naive_softmax())
        .law(
            Implementation,
            "weights are proportional to the exponentials of the scores",
            // Exponentials 1, 2, 5.
            move |f| law(f, &row(&[0., 2f32.ln(), 5f32.ln()])?, &row(&[0.125, 0.25, 0.625])?, 4),
        )
        .law(Implementation, "each row has its own sum, along the last dimension", move |f| {
            let scores = matrix(&[[0., 0.], [3f32.ln(), 0.]])?;
            law(f, &scores, &matrix(&[[0.5, 0.5], [0.75, 0.25]])?, 4)
        })
        .law(Weights, "equal scores get equal weights, also negative ones", move |f| {
            law(f, &row(&[-2., -2., -2., -2.])?, &row(&[0.25; 4])?, 4)
        })
        .property(
            Weights,
            "each row sums to 1",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let scores = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = format!(
                    "{}\nlooked at: the sum of each row",
                    show::inputs(&[("scores", &scores)])
                );
                let sums = f(&scores).and_then(|weights| weights.sum(D::Minus1));
                same(&given, sums, &ones(&[rows], DType::F32)?, rounding(n + 1))
            },
        )
        .property(
            Weights,
            "every weight is positive, also that of a negative score",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let scores = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = show::inputs(&[("scores", &scores)]);
                let weights = value(&given, f(&scores))?;
                match show::values(&weights)?.iter().all(|&weight| weight > 0.) {
                    true => Ok(()),
                    false => Err(Breach::text(&given, "weights above 0", &show::tensor(&weights))),
                }
            },
        )
        .property(
            Weights,
            "adding the same number to every score of a row changes nothing",
            (2..6usize, -20f32..20f32, 0..1000u64),
            move |f, (n, shift, seed)| {
                let scores = seeded::normal(seed, (1, n))?;
                let expected = value(&show::inputs(&[("scores", &scores)]), f(&scores))?;
                // A moved score of size 24 is rounded to 24 · ε / 2, and so is its exponential.
                law(f, &(&scores + f64::from(shift))?, &expected, 40)
            },
        )
        .law(Implementation, "equals PyTorch's over (batch, heads, seq_q, seq_k)", move |f| {
            let fixtures = pytorch()?;
            law(f, &fixtures.get("softmax.scores")?, &fixtures.get("softmax.weights")?, 12)
        })
        .law(
            Edges,
            "a single score gets the whole weight; no rows give no rows; f64 stays f64",
            move |f| {
                law(f, &matrix(&[[-3.], [7.]])?, &matrix(&[[1.], [1.]])?, 1)?;
                law(f, &zeros(&[0, 3])?, &zeros(&[0, 3])?, 1)?;
                let third = (ones(&[1, 3], DType::F64)? / 3.)?;
                law(f, &ones(&[1, 3], DType::F64)?, &third, 4)
            },
        )
        .law(Gradients, "the gradient reaches the scores and is right", |f| {
            let scores = seeded::normal(6, (2, 4))?;
            gradients_agree(&[("scores", &scores)], |inputs| f(&inputs[0]))
        })
}

/// Checks Σ weight · value: `(…, seq_q, seq_k)`, `(…, seq_k, dim)` → `(…, seq_q, dim)`.
pub fn weighted_average(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    weighted_average_laws().judge(&answer)
}

/// Positive weights whose rows sum to one, `(batch…, seq_q, seq_k)`.
fn weights_of(scores: &Tensor) -> Result<Tensor> {
    let exp = scores.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

fn weighted_average_laws() -> Check<Product> {
    let law = |f: &Product, weights: &Tensor, value: &Tensor, expected: &Tensor, units| {
        pair(["weights", "value"], f, [weights, value], expected, units)
    };
    Check::new("dot_products::weighted_average", wrong::dot_products::weighted_average())
        .law(
            Implementation,
            "each value counts by its weight: ¼ of (4, 0) and ¾ of (0, 8) are (1, 6)",
            move |f| {
                let value = matrix(&[[4., 0.], [0., 8.]])?;
                law(f, &matrix(&[[0.25, 0.75]])?, &value, &matrix(&[[1., 6.]])?, 4)
            },
        )
        .law(
            Weights,
            "a weight of 1 on one value hands over that value: the hard lookup",
            move |f| {
                let value = matrix(&[[1., 2.], [3., 4.], [5., 6.]])?;
                law(
                    f,
                    &matrix(&[[0., 0., 1.], [1., 0., 0.]])?,
                    &value,
                    &matrix(&[[5., 6.], [1., 2.]])?,
                    2,
                )
            },
        )
        .law(
            Implementation,
            "one row of weights makes one row of output: row i uses weights i",
            move |f| {
                let weights = matrix(&[[0.5, 0.5], [1., 0.]])?;
                law(
                    f,
                    &weights,
                    &matrix(&[[2., 4.], [6., 0.]])?,
                    &matrix(&[[4., 2.], [2., 4.]])?,
                    4,
                )
            },
        )
        .law(
            Implementation,
            "weights are taken as they are: twice the weights, twice the output",
            move |f| {
                let value = matrix(&[[4., 0.], [0., 8.]])?;
                law(f, &matrix(&[[0.5, 1.5]])?, &value, &matrix(&[[2., 12.]])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
            move |f| {
                let fixtures = pytorch()?;
                for name in ["matrix", "batch", "heads"] {
                    let get = |part: &str| fixtures.get(&format!("lookup.{name}.{part}"));
                    law(f, &get("weights")?, &get("value")?, &get("output")?, 16)?;
                }
                Ok(())
            },
        )
        .property(
            Weights,
            "an average stays between the smallest and the largest value of its column",
            (1..4usize, 1..6usize, 1..4usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let weights = weights_of(&seeded::normal(seed, (seq_q, seq_k))?)?;
                let values = seeded::normal(seed + 1, (seq_k, dim))?;
                let given = show::inputs(&[("weights", &weights), ("value", &values)]);
                let output = value(&given, f(&weights, &values))?;
                inside(&given, &output, &values, seq_k + 2)
            },
        )
        .property(
            Implementation,
            "the order of the values does not matter as long as the weights keep to it",
            (1..4usize, 2..6usize, 1..4usize, 0..1000u64),
            move |f, (seq_q, seq_k, dim, seed)| {
                let weights = weights_of(&seeded::normal(seed, (2, seq_q, seq_k))?)?;
                let values = seeded::normal(seed + 1, (2, seq_k, dim))?;
                let given = show::inputs(&[("weights", &weights), ("value", &values)]);
                let expected = value(&given, f(&weights, &values))?;
                let columns = turned(&weights.transpose(1, 2)?)?.transpose(1, 2)?;
                law(f, &columns, &turned(&values)?, &expected, 4 * seq_k)
            },
        )
        .law(Edges, "no queries give no outputs, and an empty sum is 0: never a panic", move |f| {
            law(f, &zeros(&[2, 0, 3])?, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 4])?, 1)?;
            law(f, &zeros(&[2, 3, 0])?, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 4])?, 1)
        })
        .law(
            Edges,
            "as many values as weights in a row, and the same leading dimensions, or an error",
            |f| {
                for (weights, value, why) in [
                    (zeros(&[2, 3])?, zeros(&[2, 3])?, "3 weights a row, but 2 values"),
                    (
                        zeros(&[1, 2, 3])?,
                        zeros(&[2, 3, 4])?,
                        "weights for a batch of 1, values for 2: nothing is broadcast",
                    ),
                    (
                        zeros(&[2, 3, 1, 4])?,
                        zeros(&[3, 2, 4, 1])?,
                        "weights for 2 batch elements of 3 heads, values for 3 of 2",
                    ),
                ] {
                    let given = show::inputs(&[("weights", &weights), ("value", &value)]);
                    refused(&given, why, f(&weights, &value))?;
                }
                Ok(())
            },
        )
        .law(Edges, "f64 in, f64 out, to f64's precision", move |f| {
            let value = Tensor::new(&[[1f64], [1e-12]], &Device::Cpu)?;
            let expected = Tensor::new(&[[1f64 + 1e-12]], &Device::Cpu)?;
            law(f, &ones(&[1, 2], DType::F64)?, &value, &expected, 2)
        })
        .law(Gradients, "gradients reach weights and value and are right", |f| {
            let [weights, value] = [seeded::normal(7, (2, 2, 3))?, seeded::normal(8, (2, 3, 2))?];
            gradients_agree(&[("weights", &weights), ("value", &value)], |inputs| {
                f(&inputs[0], &inputs[1])
            })
        })
}

/// The law that each entry of `output` lies between the least and the greatest entry of its column of `values`.
fn inside(given: &str, output: &Tensor, values: &Tensor, units: usize) -> Outcome {
    let (low, high) = (values.min_keepdim(D::Minus2)?, values.max_keepdim(D::Minus2)?);
    let clamped = value(given, output.broadcast_maximum(&low))?.broadcast_minimum(&high)?;
    same(given, Ok(output.clone()), &clamped, rounding(units))
}

/// Checks the soft lookup, output and weights.
pub fn soft_lookup(
    answer: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)> + 'static,
) -> Verdict {
    soft_lookup_laws().judge(&answer)
}

/// Query, key and value, and what the answer made of them.
struct Asked<'a> {
    given: String,
    f: &'a Lookup,
    case: &'a [Tensor; 3],
}

impl<'a> Asked<'a> {
    fn new(f: &'a Lookup, case: &'a [Tensor; 3]) -> Self {
        let [query, key, value] = case;
        Self { given: show::inputs(&[("query", query), ("key", key), ("value", value)]), f, case }
    }

    fn answer(&self) -> std::result::Result<(Tensor, Tensor), Breach> {
        let [query, key, values] = self.case;
        value(&self.given, (self.f)(query, key, values))
    }

    fn output_is(&self, expected: &Tensor, units: usize) -> Outcome {
        same(
            &format!("{}\nlooked at: the output", self.given),
            Ok(self.answer()?.0),
            expected,
            rounding(units),
        )
    }

    fn weights_are(&self, expected: &Tensor, units: usize) -> Outcome {
        same(
            &format!("{}\nlooked at: the weights", self.given),
            Ok(self.answer()?.1),
            expected,
            rounding(units),
        )
    }
}

fn soft_lookup_laws() -> Check<Lookup> {
    // q·k is 0 and ln 3: exponentials 1 and 3.
    let small = || -> Result<[Tensor; 3]> {
        let key = matrix(&[[0., 1.], [3f32.ln() / 2., 0.]])?;
        Ok([matrix(&[[2., 0.]])?, key, matrix(&[[0., 4., 1.], [8., 0., 1.]])?])
    };
    Check::new("dot_products::soft_lookup", wrong::dot_products::soft_lookup())
        .law(
            Weights,
            "the weights are the exponentials of q·k over their sum: 1 and 3 become ¼ and ¾",
            move |f| Asked::new(f, &small()?).weights_are(&matrix(&[[0.25, 0.75]])?, 8),
        )
        .law(
            Implementation,
            "the output is the values' average by weight; values may be longer than keys",
            move |f| Asked::new(f, &small()?).output_is(&matrix(&[[6., 1., 1.]])?, 8),
        )
        .law(
            Weights,
            "a query that matches no key better than another gets the plain average",
            |f| {
                let case = [zeros(&[1, 2])?, matrix(&[[1., 2.], [3., 4.]])?, matrix(&[[2., 4.], [6., 0.]])?];
                Asked::new(f, &case).output_is(&matrix(&[[4., 2.]])?, 4)
            },
        )
        .law(
            Weights,
            "a query that matches one key far better gets that key's value: nearly a hard lookup",
            |f| {
                // Scores 40 and 0: the other weight is e⁻⁴⁰, below all rounding.
                let case = [matrix(&[[40., 0.]])?, matrix(&[[1., 0.], [0., 1.]])?, matrix(&[[2., 4.], [6., 0.]])?];
                Asked::new(f, &case).output_is(&matrix(&[[2., 4.]])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's (scale 1) over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
            |f| {
                let fixtures = pytorch()?;
                for name in ["matrix", "batch", "heads"] {
                    let get = |part: &str| fixtures.get(&format!("lookup.{name}.{part}"));
                    let case = [get("query")?, get("key")?, get("value")?];
                    let asked = Asked::new(f, &case);
                    // 8 products a score of size ≤ 10, whose rounding the exponential hands on: 128 roundings.
                    asked.output_is(&get("output")?, 128)?;
                    asked.weights_are(&get("weights")?, 128)?;
                }
                Ok(())
            },
        )
        .property(
            Weights,
            "each query's weights sum to 1, and its output stays between the least and the greatest value",
            (1..4usize, 1..6usize, 1..5usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let case = attention_inputs(seed, &[2], [seq_q, seq_k, dim, 2])?;
                let asked = Asked::new(f, &case);
                let (output, weights) = asked.answer()?;
                let given = format!("{}\nlooked at: the sum of each row of weights", asked.given);
                same(&given, weights.sum(D::Minus1), &ones(&[2, seq_q], DType::F32)?, rounding(seq_k + 1))?;
                inside(&asked.given, &output, &case[2], seq_k + 4)
            },
        )
        .property(
            Implementation,
            "the order of the pairs of key and value does not matter; queries in another order give outputs in that order",
            (1..4usize, 2..6usize, 1..5usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let case = attention_inputs(seed, &[], [seq_q, seq_k, dim, 2])?;
                let (expected, _) = Asked::new(f, &case).answer()?;
                let [query, key, values] = &case;
                let pairs = [query.clone(), turned(key)?, turned(values)?];
                // Scores of size ≤ 16 with `dim` roundings, which the exponential hands on.
                Asked::new(f, &pairs).output_is(&expected, 16 * (seq_k + dim))?;
                let queries = [turned(query)?, key.clone(), values.clone()];
                Asked::new(f, &queries).output_is(&turned(&expected)?, 16 * (seq_k + dim))
            },
        )
        .law(
            Edges,
            "one key gets the whole weight: the output is its value",
            |f| {
                let case = attention_inputs(11, &[1], [2, 1, 3, 2])?;
                let value = case[2].i((.., 0..1))?;
                Asked::new(f, &case).output_is(&Tensor::cat(&[&value, &value], 1)?, 2)
            },
        )
        .law(
            Edges,
            "no queries give no outputs; shapes that do not fit are an error",
            |f| {
                let none = attention_inputs(12, &[2], [0, 3, 4, 2])?;
                Asked::new(f, &none).output_is(&zeros(&[2, 0, 2])?, 1)?;
                let [query, key, _] = attention_inputs(14, &[], [2, 3, 4, 2])?;
                let unfit = [
                    ([query.clone(), key.clone(), zeros(&[2, 2])?], "3 keys, but 2 values"),
                    ([query, zeros(&[3, 5])?, zeros(&[3, 2])?], "queries of 4 numbers, but keys of 5"),
                    (
                        [zeros(&[2, 3, 1, 4])?, zeros(&[3, 2, 1, 4])?, zeros(&[3, 2, 1, 4])?],
                        "queries for 2 batch elements of 3 heads, keys for 3 of 2",
                    ),
                    ([zeros(&[1, 2, 4])?, zeros(&[2, 3, 4])?, zeros(&[2, 3, 2])?], "a batch of 1 meets a batch of 2"),
                ];
                for (case, why) in &unfit {
                    let asked = Asked::new(f, case);
                    refused(&asked.given, why, f(&case[0], &case[1], &case[2]))?;
                }
                Ok(())
            },
        )
        .law(Edges, "f64 in, f64 out, to f64's precision", |f| {
            let case = attention_inputs(16, &[], [2, 3, 4, 2])?;
            let [query, key, value] = case.each_ref().map(|tensor| tensor.to_dtype(DType::F64));
            let case = [query?, key?, value?];
            let asked = Asked::new(f, &case);
            let (output, weights) = asked.answer()?;
            same(&asked.given, weights.sum(D::Minus1), &ones(&[2], DType::F64)?, rounding(8))?;
            same(&asked.given, Ok(output.clone()), &output.to_dtype(DType::F64)?, exactly())
        })
        .law(Gradients, "gradients reach query, key and value, and are right", |f| {
            let [query, key, value] = attention_inputs(17, &[1], [2, 3, 4, 2])?;
            gradients_agree(
                &[("query", &query), ("key", &key), ("value", &value)],
                |inputs| Ok(f(&inputs[0], &inputs[1], &inputs[2])?.0),
            )
        })
}
