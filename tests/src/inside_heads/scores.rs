//! What the scores of previous-token and induction heads must hold.

use super::{Measure, drawn, heads, nested, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Weights},
        cases::row,
        compare::{refused, rounding, same},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Result, Tensor};

/// `induction_score`: weights and a period to one number per head.
pub type Induction = dyn Fn(&Tensor, usize) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [previous_laws().proofs(), induction_laws().proofs()].into_iter().flatten().collect()
}

/// The mean of the weights of these pairs of a query and a key, in f64.
fn mean_of(weights: &Tensor, pairs: &[(usize, usize)]) -> Result<Tensor> {
    let (batch, heads, _, _) = weights.dims4()?;
    let count = (batch * pairs.len()) as f64;
    let mut means = vec![0.; heads];
    for entry in nested(weights)? {
        for (mean, map) in means.iter_mut().zip(&entry) {
            *mean += pairs.iter().map(|&(query, key)| map[query][key]).sum::<f64>() / count;
        }
    }
    Tensor::new(means, weights.device())?.to_dtype(weights.dtype())
}

/// Maps that are no self-attention over two tokens.
const UNFIT: [&[usize]; 6] =
    [&[1, 2, 1, 1], &[1, 2, 2, 3], &[1, 2, 3, 2], &[0, 2, 3, 3], &[1, 0, 3, 3], &[3, 3]];

/// Checks the mean weight of each query on the key before it: `(batch, heads, seq, seq)` → `(heads)`.
pub fn previous_token_score(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    previous_laws().judge(&answer)
}

fn previous_laws() -> Check<Measure> {
    // A sum over at most 6 queries and 3 entries of the batch, and two divisions.
    let law = |f: &Measure, weights: Tensor, expected: Tensor| {
        same(&inputs(&[("weights", &weights)]), f(&weights), &expected, rounding(32))
    };
    let reference = |weights: &Tensor| {
        let pairs: Vec<_> = (1..weights.dim(2)?).map(|query| (query, query - 1)).collect();
        mean_of(weights, &pairs)
    };
    Check::new("inside_heads::previous_token_score", wrong::inside_heads::previous_token_score())
        .law(
            Weights,
            "of two tokens, the second looks at the first with 1 in head 0, with ¼ in head 1",
            move |f| {
                let weights = heads(&[[[1., 0.], [1., 0.]], [[1., 0.], [0.25, 0.75]]])?;
                law(f, weights, row(&[1., 0.25])?)
            },
        )
        .law(
            Weights,
            "of three tokens, two have one before them: the mean of ½ and ⅝, 9⁄16",
            move |f| {
                let weights = heads(&[[[1., 0., 0.], [0.5, 0.5, 0.], [0.25, 0.625, 0.125]]])?;
                law(f, weights, row(&[0.5625])?)
            },
        )
        .law(Weights, "a head that looks at the next token has a score of 0", move |f| {
            law(f, heads(&[[[0., 1., 0.], [0., 0., 1.], [0., 0., 1.]]])?, row(&[0.])?)
        })
        .law(Weights, "the mean over the batch: 1 and 0", move |f| {
            let (all, none) = (heads(&[[[1., 0.], [1., 0.]]])?, heads(&[[[1., 0.], [0., 1.]]])?);
            law(f, Tensor::cat(&[all, none], 0)?, row(&[0.5])?)
        })
        .property(
            Weights,
            "the mean of the weights of query i on key i − 1, in any size",
            (1..4usize, 1..4usize, 2..7usize, 0..1000u64),
            move |f, (batch, heads, seq, seed)| {
                let weights = drawn(seed, (batch, heads, seq, seq))?;
                let expected = reference(&weights)?;
                law(f, weights, expected)
            },
        )
        .law(Edges(why::DOUBLE), "f64 weights give f64 scores", move |f| {
            let weights = drawn(1, (2, 2, 4, 4))?.to_dtype(DType::F64)?;
            let expected = reference(&weights)?;
            law(f, weights, expected)
        })
        .law(
            Edges(why::REFUSED),
            "a single token, a map that is not square, an empty one, other dimensions: an error",
            |f| {
                for shape in UNFIT {
                    let weights = zeros(shape)?;
                    let given = inputs(&[("weights", &weights)]);
                    refused(&given, "no token has one before it", f(&weights))?;
                }
                Ok(())
            },
        )
}

/// Checks the mean weight on what came next a period ago: `(batch, heads, seq, seq)` and a period → `(heads)`.
pub fn induction_score(answer: impl Fn(&Tensor, usize) -> Result<Tensor> + 'static) -> Verdict {
    induction_laws().judge(&answer)
}

fn given(weights: &Tensor, period: usize) -> String {
    remember(format!("{}\nperiod: {period}", inputs(&[("weights", weights)])))
}

/// The map of one head in which query i looks at key `keys[i]` only.
fn looks_at<const N: usize>(keys: [usize; N]) -> Result<Tensor> {
    heads::<1, N, N>(&[keys.map(|key| std::array::from_fn(|at| f32::from(u8::from(at == key))))])
}

fn induction_laws() -> Check<Induction> {
    // A sum over at most 9 queries and 3 entries of the batch, and two divisions.
    let law = |f: &Induction, weights: &Tensor, period: usize, expected: Tensor| {
        same(&given(weights, period), f(weights, period), &expected, rounding(32))
    };
    let reference = |weights: &Tensor, period: usize| {
        let pairs: Vec<_> =
            (period..weights.dim(2)?).map(|query| (query, query + 1 - period)).collect();
        mean_of(weights, &pairs)
    };
    Check::new("inside_heads::induction_score", wrong::inside_heads::induction_score())
        .law(
            Weights,
            "a b a b, period 2: the second a looks at the first b with ¾, the second b at the second a with ½",
            move |f| {
                let weights = heads(&[[
                    [1., 0., 0., 0.],
                    [0.5, 0.5, 0., 0.],
                    [0.125, 0.75, 0.125, 0.],
                    [0.25, 0.125, 0.5, 0.125],
                ]])?;
                law(f, &weights, 2, row(&[0.625])?)
            },
        )
        .law(
            Weights,
            "a b c a b c, period 3: queries 3, 4, 5 look at keys 1, 2, 3, and the score is 1",
            move |f| law(f, &looks_at([0, 0, 0, 1, 2, 3])?, 3, row(&[1.])?),
        )
        .law(
            Weights,
            "a head that looks at the earlier occurrence itself, and not at what came after it, has a score of 0",
            move |f| law(f, &looks_at([0, 0, 0, 0, 1, 2])?, 3, row(&[0.])?),
        )
        .law(
            Weights,
            "the queries of the first block do not count, wherever they look",
            move |f| law(f, &looks_at([1, 1, 0, 1, 2, 0])?, 3, row(&[2. / 3.])?),
        )
        .law(
            Weights,
            "a b a b a b: every query from the third on counts, with what came after its latest occurrence",
            move |f| law(f, &looks_at([0, 0, 1, 2, 1, 4])?, 2, row(&[0.75])?),
        )
        .law(Weights, "a second block that ends early: a b c a b", move |f| {
            law(f, &looks_at([0, 0, 0, 1, 0])?, 3, row(&[0.5])?)
        })
        .law(Weights, "each head on its own, and the mean over the batch", move |f| {
            let (right, wrong) = (looks_at([0, 0, 1, 2])?, looks_at([0, 0, 0, 0])?);
            let first = Tensor::cat(&[&right, &wrong, &right], 1)?;
            let second = Tensor::cat(&[&right, &wrong, &wrong], 1)?;
            law(f, &Tensor::cat(&[first, second], 0)?, 2, row(&[1., 0., 0.5])?)
        })
        .property(
            Weights,
            "the mean of the weights of query i ≥ period on key i − period + 1, in any size",
            (1..4usize, 1..4usize, 1..5usize, 1..6usize, 0..1000u64),
            move |f, (batch, heads, period, rest, seed)| {
                let weights = drawn(seed, (batch, heads, period + rest, period + rest))?;
                let expected = reference(&weights, period)?;
                law(f, &weights, period, expected)
            },
        )
        .law(Edges(why::LIMIT), "period 1, a a a: what came after the token before is the token itself", move |f| {
            law(f, &looks_at([0, 1, 0])?, 1, row(&[0.5])?)
        })
        .law(Edges(why::DOUBLE), "f64 weights give f64 scores", move |f| {
            let weights = drawn(1, (2, 2, 6, 6))?.to_dtype(DType::F64)?;
            let expected = reference(&weights, 3)?;
            law(f, &weights, 3, expected)
        })
        .law(Edges(why::REFUSED), "a period of 0 is an error", |f| {
            let weights = drawn(1, (1, 2, 4, 4))?;
            refused(&given(&weights, 0), "a block has at least one token", f(&weights, 0))
        })
        .law(Edges(why::REFUSED), "a period that leaves no query is an error", |f| {
            let weights = drawn(1, (1, 2, 4, 4))?;
            for period in [4, 5, usize::MAX] {
                let why = "nothing repeats within 4 tokens";
                refused(&given(&weights, period), why, f(&weights, period))?;
            }
            Ok(())
        })
        .law(Edges(why::REFUSED), "a map that is not square, an empty one, other dimensions: an error", |f| {
            for shape in UNFIT {
                let weights = zeros(shape)?;
                let why = "self-attention has as many keys as queries";
                refused(&given(&weights, 1), why, f(&weights, 1))?;
            }
            Ok(())
        })
}
