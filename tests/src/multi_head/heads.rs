//! What splitting, combining, repeating and comparing heads must hold.

use super::counting;
use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        compare::{exactly, refused, rounding, same},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};

/// `split_heads`, `repeat_kv`: a tensor and a number of heads or groups.
pub type Regroup = dyn Fn(&Tensor, usize) -> Result<Tensor>;
/// `combine_heads`: `(batch, heads, seq, head_dim)` to `(batch, seq, heads · head_dim)`.
pub type CombineHeads = dyn Fn(&Tensor) -> Result<Tensor>;
/// `head_diversity`: weights to a scalar tensor.
pub type Diversity = dyn Fn(&Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [
        split_laws().proofs(),
        combine_laws().proofs(),
        repeat_laws().proofs(),
        diversity_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Element by element: `(batch, seq, dim)` to `(batch, heads, seq, head_dim)`.
fn split(x: &Tensor, heads: usize) -> Result<Tensor> {
    let head_dim = x.dim(2)? / heads;
    let slices = (0..heads).map(|head| x.narrow(2, head * head_dim, head_dim));
    Tensor::stack(&slices.collect::<Result<Vec<_>>>()?, 1)
}

fn given(x: &Tensor, name: &str, number: usize) -> String {
    remember(format!("{}\n{name}: {number}", inputs(&[("x", x)])))
}

/// Checks `(batch, seq, dim)` → `(batch, heads, seq, head_dim)`.
pub fn split_heads(answer: impl Fn(&Tensor, usize) -> Result<Tensor> + 'static) -> Verdict {
    split_laws().judge(&answer)
}

fn split_laws() -> Check<Regroup> {
    let law = |f: &Regroup, shape: (usize, usize, usize), heads: usize| {
        let x = counting(shape)?;
        same(&given(&x, "num_heads", heads), f(&x, heads), &split(&x, heads)?, exactly())
    };
    Check::new("multi_head::split_heads", wrong::multi_head::split_heads())
        .law(
            Implementation,
            "head 0 gets the first half of each token's numbers, head 1 the second half",
            // Two tokens 0 1 2 3 and 4 5 6 7: head 0 has 0 1 and 4 5.
            move |f| law(f, (1, 2, 4), 2),
        )
        .law(Implementation, "three tokens and three heads of two numbers", move |f| {
            law(f, (1, 3, 6), 3)
        })
        .property(
            Implementation,
            "each batch entry, token and head on its own, in any size",
            (1..4usize, 1..6usize, 1..5usize, 1..5usize),
            move |f, (batch, seq, heads, head_dim)| law(f, (batch, seq, heads * head_dim), heads),
        )
        .law(Gradients, "the gradient reaches x and is right", |f| {
            let x = seeded::normal(1, (1, 2, 4))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0], 2))
        })
        .law(
            Edges(why::VIEW),
            "the result is contiguous: candle's matrix product refuses some views of four dimensions",
            |f| {
                let x = counting((1, 2, 4))?;
                let split = f(&x, 2)?;
                match split.is_contiguous() {
                    true => Ok(()),
                    false => Err(crate::harness::Breach::text(
                        &given(&x, "num_heads", 2),
                        "a contiguous tensor",
                        "a transposed view of it",
                    )),
                }
            },
        )
        .law(Edges(why::ONE), "one head leaves each token whole; one token is split like many", move |f| {
            law(f, (2, 3, 4), 1)?;
            law(f, (1, 1, 4), 2)
        })
        .law(Edges(why::EMPTY), "no tokens give no tokens", |f| {
            let none = Tensor::zeros((2, 0, 4), DType::F32, &Device::Cpu)?;
            let expected = Tensor::zeros((2, 2, 0, 2), DType::F32, &Device::Cpu)?;
            same(&given(&none, "num_heads", 2), f(&none, 2), &expected, exactly())
        })
        .law(
            Edges(why::REFUSED),
            "a number of heads that does not divide the numbers is an error, and so is 0",
            |f| {
                let x = counting((1, 2, 4))?;
                for heads in [0, 3] {
                    let why = "4 numbers per token cannot be shared out evenly";
                    refused(&given(&x, "num_heads", heads), why, f(&x, heads))?;
                }
                Ok(())
            },
        )
}

/// Checks `(batch, heads, seq, head_dim)` → `(batch, seq, heads · head_dim)`.
pub fn combine_heads(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    combine_laws().judge(&answer)
}

fn combine_laws() -> Check<CombineHeads> {
    let law = |f: &CombineHeads, shape: (usize, usize, usize), heads: usize| {
        let whole = counting(shape)?;
        let x = split(&whole, heads)?;
        same(&inputs(&[("x", &x)]), f(&x), &whole, exactly())
    };
    Check::new("multi_head::combine_heads", wrong::multi_head::combine_heads())
        .law(
            Implementation,
            "a token's numbers of head 0 come first, then its numbers of head 1",
            move |f| law(f, (1, 2, 4), 2),
        )
        .law(Implementation, "three tokens, two heads of three numbers", move |f| {
            law(f, (1, 3, 6), 2)
        })
        .property(
            Implementation,
            "it undoes splitting, in any size",
            (1..4usize, 1..6usize, 1..5usize, 1..5usize),
            move |f, (batch, seq, heads, head_dim)| law(f, (batch, seq, heads * head_dim), heads),
        )
        .law(Gradients, "the gradient reaches x and is right", |f| {
            let x = seeded::normal(1, (1, 2, 3, 2))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0]))
        })
        .law(Edges(why::EMPTY), "no tokens give no tokens", |f| {
            let none = Tensor::zeros((2, 3, 0, 2), DType::F32, &Device::Cpu)?;
            let expected = Tensor::zeros((2, 0, 6), DType::F32, &Device::Cpu)?;
            same(&inputs(&[("x", &none)]), f(&none), &expected, exactly())
        })
        .law(Edges(why::REFUSED), "a tensor of three dimensions is an error", |f| {
            let x = counting((2, 3, 4))?;
            refused(&inputs(&[("x", &x)]), "the dimension of the heads is missing", f(&x))
        })
}

/// Checks `(batch, kv_heads, seq, head_dim)` → `(batch, kv_heads · groups, seq, head_dim)`.
pub fn repeat_kv(answer: impl Fn(&Tensor, usize) -> Result<Tensor> + 'static) -> Verdict {
    repeat_laws().judge(&answer)
}

fn repeat_laws() -> Check<Regroup> {
    let law = |f: &Regroup, shape: (usize, usize, usize, usize), groups: usize| {
        let x = counting(shape)?;
        let heads = (0..shape.1 * groups).map(|head| x.narrow(1, head / groups, 1));
        let expected = Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, 1)?;
        same(&given(&x, "groups", groups), f(&x, groups), &expected, exactly())
    };
    Check::new("multi_head::repeat_kv", wrong::multi_head::repeat_kv())
        .law(Implementation, "two heads in groups of two become heads 0 0 1 1", move |f| {
            law(f, (1, 2, 1, 2), 2)
        })
        .property(
            Implementation,
            "each key-value head serves `groups` query heads in a row, in any size",
            (1..3usize, 1..4usize, 1..4usize, 1..4usize, 1..4usize),
            move |f, (batch, heads, seq, head_dim, groups)| {
                law(f, (batch, heads, seq, head_dim), groups)
            },
        )
        .law(Gradients, "the gradient of a key-value head is the sum over its group", |f| {
            let x = seeded::normal(1, (1, 2, 2, 2))?;
            gradients_agree(&[("x", &x)], |inputs| f(&inputs[0], 2))
        })
        .law(Edges(why::ONE), "groups of one change nothing", move |f| law(f, (1, 3, 2, 2), 1))
        .law(Edges(why::EMPTY), "no tokens give no tokens", move |f| {
            let none = Tensor::zeros((1, 2, 0, 2), DType::F32, &Device::Cpu)?;
            let expected = Tensor::zeros((1, 6, 0, 2), DType::F32, &Device::Cpu)?;
            same(&given(&none, "groups", 3), f(&none, 3), &expected, exactly())
        })
        .law(Edges(why::REFUSED), "0 groups are an error", |f| {
            let x = counting((1, 2, 1, 2))?;
            refused(&given(&x, "groups", 0), "no query head is left", f(&x, 0))
        })
}

/// Checks the mean distance of two different heads' weights: `(batch, heads, seq_q, seq_k)` → scalar.
pub fn head_diversity(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    diversity_laws().judge(&answer)
}

/// Weights `(1, heads, seq_q, seq_k)`, head by head.
fn weights<const H: usize, const Q: usize, const K: usize>(
    heads: &[[[f32; K]; Q]; H],
) -> Result<Tensor> {
    Tensor::new(heads, &Device::Cpu)?.unsqueeze(0)
}

fn diversity_laws() -> Check<Diversity> {
    let law = |f: &Diversity, weights: Tensor, expected: f32| {
        let given = inputs(&[("weights", &weights)]);
        let expected = Tensor::new(expected, &Device::Cpu)?;
        // A sum over all pairs of at most 4 heads of 3 queries with 3 keys.
        same(&given, f(&weights), &expected, rounding(64))
    };
    Check::new("multi_head::head_diversity", wrong::multi_head::head_diversity())
        .law(Weights, "two heads that look at different keys are 1 apart", move |f| {
            law(f, weights(&[[[1., 0.]], [[0., 1.]]])?, 1.)
        })
        .law(Weights, "half the sum of the absolute differences", move |f| {
            // |0.5 − 0.25| + |0.5 − 0.75| = 0.5, halved.
            law(f, weights(&[[[0.5, 0.5]], [[0.25, 0.75]]])?, 0.25)
        })
        .law(
            Weights,
            "three heads make three pairs; a head is not compared with itself",
            move |f| {
                let heads = weights(&[[[1., 0.]], [[1., 0.]], [[0., 1.]]])?; // 0, 1, 1
                law(f, heads, 2. / 3.)
            },
        )
        .law(Weights, "the mean over queries", move |f| {
            let heads = weights(&[[[1., 0.], [1., 0.]], [[1., 0.], [0., 1.]]])?; // 0 and 1
            law(f, heads, 0.5)
        })
        .law(
            Weights,
            "heads are compared on the same batch entry, and the mean is taken over the batch",
            move |f| {
                let alike = weights(&[[[1., 0.]], [[1., 0.]]])?;
                let apart = weights(&[[[1., 0.]], [[0., 1.]]])?;
                law(f, Tensor::cat(&[alike, apart], 0)?, 0.5)
            },
        )
        .law(
            Weights,
            "four heads make six pairs, and all keys count, however many there are",
            move |f| {
                // ½ Σ of the pairs 01, 02, 03, 12, 13, 23: ½, ½, 1, ¼, ¾, ½.
                let heads = weights(&[
                    [[1., 0., 0., 0.]],
                    [[0.5, 0.5, 0., 0.]],
                    [[0.5, 0.25, 0.25, 0.]],
                    [[0., 0.25, 0.25, 0.5]],
                ])?;
                law(f, heads, 3.5 / 6.)
            },
        )
        .law(Weights, "differences of opposite sign do not cancel", move |f| {
            // The heads swap their keys from query to query.
            law(f, weights(&[[[1., 0.], [0., 1.]], [[0., 1.], [1., 0.]]])?, 1.)
        })
        .law(Edges(why::ONE), "a single head is an error: there is no pair to compare", |f| {
            let single = weights(&[[[0.5, 0.5]]])?;
            let given = inputs(&[("weights", &single)]);
            refused(&given, "there is no pair of heads", f(&single))
        })
        .law(Edges(why::EMPTY), "no query is an error: a mean over nothing is 0 / 0", |f| {
            [(1, 2, 0, 3), (0, 2, 1, 3)].into_iter().try_for_each(|shape| {
                let none = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
                let given = inputs(&[("weights", &none)]);
                refused(&given, "there is no query to compare", f(&none))
            })
        })
}
