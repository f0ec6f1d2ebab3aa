//! What a search must hold: the scores of all keys for all queries, and the positions of the highest.

use super::{Binary, ones, pair, pytorch, turned, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation},
        cases::{HALF, attention_inputs, matrix, row},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show, why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `top_k`: scores and how many.
pub(crate) type TopK = dyn Fn(&Tensor, usize) -> Result<Vec<usize>>;

pub(super) fn zoo() -> Vec<Proof> {
    [scores_laws().proofs(), top_k_laws().proofs()].into_iter().flatten().collect()
}

/// Checks Q·Kᵀ: `(…, seq_q, dim)`, `(…, seq_k, dim)` → `(…, seq_q, seq_k)`.
pub fn scores(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    scores_laws().judge(&answer)
}

fn scores_laws() -> Check<Binary> {
    let law = |f: &Binary, query: &Tensor, key: &Tensor, expected: &Tensor, units| {
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
            "one row per query, one column per key, and there need not be as many of one as of the other",
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
            "reorder the keys, and the columns are reordered likewise; reorder the queries, and the rows are",
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
        .law(Implementation, "f64 in, f64 out, to f64's precision (gradients are compared in f64)", move |f| {
            let query = Tensor::new(&[[1f64, 1e-12]], &Device::Cpu)?;
            let expected = Tensor::new(&[[1f64 + 1e-12]], &Device::Cpu)?;
            law(f, &query, &ones(&[1, 2], DType::F64)?, &expected, 2)
        })
        .law(Gradients, "gradients reach query and key and are right", |f| {
            let [query, key, _] = attention_inputs(5, &[2], [2, 3, 4, 1])?;
            gradients_agree(&[("query", &query), ("key", &key)], |inputs| f(&inputs[0], &inputs[1]))
        })
        .law(
            Edges(why::EMPTY),
            "no queries give no rows, no keys no columns: never a panic",
            move |f| {
                law(f, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 3])?, 1)?;
                law(f, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 0])?, 1)
            },
        )
        .law(
            Edges(why::REFUSED),
            "vectors of different dimensions are an error, and so are leading dimensions that differ",
            |f| {
                for (query, key, why) in [
                    (zeros(&[2, 3])?, zeros(&[3, 2])?, "query vectors have 3 numbers, key vectors 2"),
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
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            HALF.iter().try_for_each(|&half| {
                let (query, key) = (matrix(&[[1., 2.], [0., 3.]])?, matrix(&[[1., 0.], [4., 1.]])?);
                let expected = matrix(&[[1., 6.], [0., 3.]])?.to_dtype(half)?;
                law(f, &query.to_dtype(half)?, &key.to_dtype(half)?, &expected, 4)
            })
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
        .law(
            Edges(why::NOT_FINITE),
            "−∞ is a score like any other, the lowest: a masked key can be chosen, once",
            move |f| {
                let hidden = f32::NEG_INFINITY;
                law(f, &row(&[hidden, 1., hidden])?, 3, &[1, 0, 2])
            },
        )
        .law(Edges(why::REFUSED), "k above the number of scores is an error", move |f| {
            let scores = row(&[1., 2.])?;
            refused(&given(&scores, 3), "there are only 2 scores", f(&scores, 3))
        })
        .law(Edges(why::EMPTY), "k = 0 gives no positions, even when there are no scores", move |f| {
            law(f, &row(&[1., 2.])?, 0, &[])?;
            law(f, &zeros(&[0])?, 0, &[])
        })
        .law(Edges(why::DOUBLE), "f64 scores are compared as f64", move |f| {
            law(f, &Tensor::new(&[1f64, 1. + 1e-12], &Device::Cpu)?, 1, &[1])
        })
        .law(Edges(why::HALF), "f16 and bf16 scores are ranked like any other", move |f| {
            HALF.iter()
                .try_for_each(|&half| law(f, &row(&[0.5, -1., 2.])?.to_dtype(half)?, 2, &[2, 0]))
        })
        .law(Edges(why::NOT_FINITE), "a NaN among the scores is no reason to panic", move |f| {
            // An error is as good as any order. Long enough for `sort_by` to notice a comparison that contradicts itself.
            let scores: Vec<f32> =
                (0..64).map(|at| if at % 3 == 0 { f32::NAN } else { (at * 29 % 64) as f32 }).collect();
            let scores = row(&scores)?;
            given(&scores, 64);
            let _ = f(&scores, 64);
            Ok(())
        })
        .law(
            Edges("a score that underflows, or is multiplied by 0, may be −0; a total order ranks it in one place, however it is sorted."),
            "−0 is below 0, as `f64::total_cmp` has it",
            |f| {
                let given = show::remember("scores: [2] f32 [ -0  0 ]\nk: 2");
                match value(&given, f(&row(&[-0., 0.])?, 2))?.as_slice() {
                    [1, 0] => Ok(()),
                    got => Err(Breach::text(&given, "[1, 0]", &format!("{got:?}"))),
                }
            },
        )
}
