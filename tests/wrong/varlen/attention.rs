//! Attention in steps, each of which can be got wrong.

use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::ops::softmax;

/// The heads: how many, and how many numbers each has of a token.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) heads: usize,
    pub(super) dim: usize,
}

/// Attention of q, k and v `(batch, seq, hidden)` under a mask `(batch, heads, seq, seq)`, step by step.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// The sizes that are used, from hidden and those that were given; an error when they do not fit.
    pub(super) sizes: fn(usize, Sizes) -> Result<Sizes>,
    /// Which of q, k and v is used as query, key and value.
    pub(super) order: [usize; 3],
    /// What is done to q, k and v first.
    pub(super) prepare: fn(&Tensor) -> Result<Tensor>,
    /// `(batch, seq, hidden)` → `(batch, heads, seq, dim)`.
    pub(super) split: fn(&Tensor, Sizes) -> Result<Tensor>,
    /// What scores are multiplied by.
    pub(super) scale: fn(Sizes) -> f64,
    /// Scores and mask → weights.
    pub(super) weigh: fn(&Tensor, &Tensor) -> Result<Tensor>,
    /// `(batch, heads, seq, dim)` → `(batch, seq, hidden)`.
    pub(super) join: fn(&Tensor) -> Result<Tensor>,
}

impl Steps {
    /// Each step as it should be.
    pub(super) fn right() -> Self {
        Self {
            sizes: fitting,
            order: [0, 1, 2],
            prepare: |x| Ok(x.clone()),
            split: |x, Sizes { heads, dim }| {
                let (batch, seq, _) = x.dims3()?;
                x.reshape((batch, seq, heads, dim))?.transpose(1, 2)?.contiguous()
            },
            scale: |sizes| 1. / (sizes.dim as f64).sqrt(),
            weigh: |scores, mask| guarded(&hidden(scores, mask)?, over_keys),
            join: |x| x.transpose(1, 2)?.flatten_from(2),
        }
    }

    /// The sizes, when everything fits.
    pub(super) fn fit(&self, x: [&Tensor; 3], given: Sizes) -> Result<Sizes> {
        if x[0].dims() != x[1].dims() || x[0].dims() != x[2].dims() {
            bail!("q, k and v do not fit");
        }
        (self.sizes)(x[0].dim(D::Minus1)?, given)
    }

    pub(super) fn run(&self, x: [&Tensor; 3], given: Sizes, mask: &Tensor) -> Result<Tensor> {
        let sizes = self.fit(x, given)?;
        if x[0].elem_count() == 0 {
            return x[0].zeros_like();
        }
        let heads = |at: usize| (self.split)(&(self.prepare)(x[self.order[at]])?, sizes);
        let (q, k, v) = (heads(0)?, heads(1)?, heads(2)?);
        let scores = (q.matmul(&k.t()?.contiguous()?)? * (self.scale)(sizes))?;
        // Fewer heads than the mask was made for, where they are not split.
        let mask = match mask.rank() == 4 && mask.dim(1)? > scores.dim(1)? {
            true => &mask.narrow(1, 0, scores.dim(1)?)?,
            false => mask,
        };
        let weights = (self.weigh)(&scores, &mask.broadcast_as(scores.shape())?)?;
        (self.join)(&weights.matmul(&v)?)?.to_dtype(x[0].dtype())
    }
}

fn fitting(hidden: usize, sizes: Sizes) -> Result<Sizes> {
    match hidden == sizes.heads * sizes.dim {
        true => Ok(sizes),
        false => bail!("hidden is not heads · dim"),
    }
}

/// The scores, −∞ where the mask is 0.
pub(super) fn hidden(scores: &Tensor, mask: &Tensor) -> Result<Tensor> {
    mask.where_cond(scores, &(scores.ones_like()? * f64::NEG_INFINITY)?)
}

pub(super) fn over_keys(scores: &Tensor) -> Result<Tensor> {
    softmax(scores, D::Minus1)
}

/// `weigh` of scores where rows of −∞ go in as zeros, and zeros come out for them.
fn guarded(scores: &Tensor, weigh: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let sees =
        scores.max_keepdim(D::Minus1)?.ne(f64::NEG_INFINITY)?.broadcast_as(scores.shape())?;
    let zeros = scores.zeros_like()?;
    sees.where_cond(&weigh(&sees.where_cond(scores, &zeros)?)?, &zeros)
}

/// What goes wrong in a step: a name, a diagnosis, and the steps.
pub(super) type Fault = (&'static str, &'static str, Steps);

/// What goes wrong whoever hides what from whom.
pub(super) fn faults() -> Vec<Fault> {
    let right = Steps::right();
    vec![
        (
            "scale forgotten",
            "the scores are not divided by √head_dim.",
            Steps { scale: |_| 1., ..right },
        ),
        (
            "scaled by head_dim",
            "the scores are divided by head_dim in all. Either its square root was forgotten, or they are scaled twice: once by hand, and once more by the function that is called.",
            Steps { scale: |sizes| 1. / sizes.dim as f64, ..right },
        ),
        (
            "scaled by the root of hidden",
            "the scores are divided by √hidden, but each head's products run over head_dim numbers only: divide by √head_dim.",
            Steps { scale: |sizes| 1. / ((sizes.heads * sizes.dim) as f64).sqrt(), ..right },
        ),
        (
            "scaled by the number of heads",
            "the scores are divided by √num_heads instead of √head_dim. The two are next to each other in the arguments.",
            Steps { scale: |sizes| 1. / (sizes.heads as f64).sqrt(), ..right },
        ),
        (
            "multiplied by the root",
            "the scores are multiplied by √head_dim, but they should be divided by it: the scale is 1/√head_dim.",
            Steps { scale: |sizes| (sizes.dim as f64).sqrt(), ..right },
        ),
        (
            "heads not transposed",
            "the numbers are reshaped to `(heads, seq, head_dim)` in one step, which mixes tokens. Reshape to `(seq, heads, head_dim)` first, then transpose the two.",
            Steps {
                split: |x, Sizes { heads, dim }| {
                    let (batch, seq, _) = x.dims3()?;
                    x.reshape((batch, heads, seq, dim))
                },
                ..right
            },
        ),
        (
            "heads neither split nor put together",
            "heads are made by a reshape without a transpose, on the way in and out. The shapes fit, but each head attends over a mixture of tokens.",
            Steps {
                split: |x, Sizes { heads, dim }| {
                    let (batch, seq, _) = x.dims3()?;
                    x.reshape((batch, heads, seq, dim))
                },
                join: |x| {
                    let (batch, heads, seq, dim) = x.dims4()?;
                    x.reshape((batch, seq, heads * dim))
                },
                ..right
            },
        ),
        (
            "every other number",
            "a token's numbers are dealt to the heads in turn, as `(head_dim, heads)`. Head 0 should have the first head_dim of them: `(heads, head_dim)`.",
            Steps {
                split: |x, Sizes { heads, dim }| {
                    let (batch, seq, _) = x.dims3()?;
                    x.reshape((batch, seq, dim, heads))?.permute((0, 3, 1, 2))?.contiguous()
                },
                join: |x| x.permute((0, 2, 3, 1))?.flatten_from(2),
                ..right
            },
        ),
        (
            "heads not put together",
            "the heads' outputs are reshaped without being transposed back, which mixes tokens: turn `(heads, seq, …)` into `(seq, heads, …)` first.",
            Steps {
                join: |x| {
                    let (batch, heads, seq, dim) = x.dims4()?;
                    x.reshape((batch, seq, heads * dim))
                },
                ..right
            },
        ),
        (
            "one head",
            "the numbers are not split into heads: all hidden numbers make one score, but each head should have its own.",
            Steps {
                split: |x, _| x.unsqueeze(1),
                scale: |sizes| 1. / ((sizes.heads * sizes.dim) as f64).sqrt(),
                ..right
            },
        ),
        (
            "one head, scaled for many",
            "the numbers are not split into heads, although the scores are divided by √head_dim: all hidden numbers make one score, but each head should have its own.",
            Steps { split: |x, _| x.unsqueeze(1), ..right },
        ),
        (
            "softmax over the queries",
            "the softmax runs over the queries. It should run over the keys, the last dimension, so that each query's weights sum to 1.",
            Steps {
                weigh: |scores, mask| {
                    let scores = hidden(scores, mask)?.t()?.contiguous()?;
                    guarded(&scores, over_keys)?.t()?.contiguous()
                },
                ..right
            },
        ),
        (
            "mask after the softmax",
            "the mask is applied after the softmax. Hidden keys have already taken their share of the sum, so the rest no longer sums to 1. Mask the scores.",
            Steps {
                weigh: |scores, mask| {
                    over_keys(scores)? * mask.ne(0u8)?.to_dtype(scores.dtype())?
                },
                ..right
            },
        ),
        (
            "q and k exchanged",
            "queries and keys are swapped: rows of the scores are queries, q·kᵀ.",
            Steps { order: [1, 0, 2], ..right },
        ),
        (
            "keys for values",
            "the keys are averaged instead of the values. The weights are for the values: the third argument, v.",
            Steps { order: [0, 1, 1], ..right },
        ),
        (
            "queries for keys",
            "the queries are compared with each other instead of with the keys: the second argument, k.",
            Steps { order: [0, 0, 2], ..right },
        ),
        (
            "gradient lost",
            "the values are right, but no gradient reaches q and k: `softmax_last_dim` (like `detach()`) has none, without a warning.",
            Steps { weigh: |scores, mask| (Steps::right().weigh)(&scores.detach(), mask), ..right },
        ),
        (
            "in f32",
            "f64 inputs go through f32 on the way, so the answer has only half of its digits. Look for a `to_dtype`, or for a number that is computed in f32.",
            Steps { prepare: |x| x.to_dtype(DType::F32), ..right },
        ),
        (
            "head_dim not looked at",
            "head_dim is computed from hidden and num_heads, and the given one is ignored. It is an error if the three don't fit.",
            Steps {
                sizes: |hidden, Sizes { heads, dim }| match hidden % heads {
                    0 => Ok(Sizes { heads, dim: hidden / heads }),
                    _ => fitting(hidden, Sizes { heads, dim }),
                },
                ..right
            },
        ),
        (
            "num_heads not looked at",
            "the number of heads is computed from hidden and head_dim, and the given one is ignored. It is an error if the three don't fit.",
            Steps {
                sizes: |hidden, Sizes { heads, dim }| match hidden % dim {
                    0 => Ok(Sizes { heads: hidden / dim, dim }),
                    _ => fitting(hidden, Sizes { heads, dim }),
                },
                ..right
            },
        ),
    ]
}
