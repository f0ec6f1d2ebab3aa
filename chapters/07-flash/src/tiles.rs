//! Given: what the tiled attention of [`crate::solution`] is put together from.

use candle_core::{Result, Tensor, bail};
use dot_products::matmul::matmul;
use std::ops::Range;

// ANCHOR: partial
/// What attention over some of the keys leaves of each query: enough to go on with
/// other keys.
#[derive(Clone, Debug)]
pub struct Partial {
    /// The largest score so far, `(rows, 1)`: −∞ before the first.
    pub m: Tensor,
    /// Σ exp(score − m), `(rows, 1)`.
    pub l: Tensor,
    /// The accumulator Σ exp(score − m) · value, `(rows, d_v)`: not yet divided by l.
    pub acc: Tensor,
}
// ANCHOR_END: partial

impl Partial {
    /// Before the first key: for queries `(rows, d)` and values `(seq_k, d_v)`.
    pub fn empty(q: &Tensor, v: &Tensor) -> Result<Self> {
        let (rows, dim_v) = (q.dim(0)?, v.dim(1)?);
        let l = Tensor::zeros((rows, 1), q.dtype(), q.device())?;
        let acc = Tensor::zeros((rows, dim_v), q.dtype(), q.device())?;
        Ok(Self { m: (&l + f64::NEG_INFINITY)?, l, acc })
    }
}

// The checks know no chapter: they make and take these as tensors.
impl From<[Tensor; 3]> for Partial {
    fn from([m, l, acc]: [Tensor; 3]) -> Self {
        Self { m, l, acc }
    }
}

impl From<Partial> for [Tensor; 3] {
    fn from(Partial { m, l, acc }: Partial) -> Self {
        [m, l, acc]
    }
}

// ANCHOR: query_block
/// What the backward pass through a tile needs of its queries.
#[derive(Clone, Debug)]
pub struct QueryBlock {
    /// `(rows, d)`
    pub q: Tensor,
    /// The gradient of the output, `(rows, d_v)`.
    pub d_out: Tensor,
    /// The log-sum-exp that the forward pass kept, `(rows, 1)`.
    pub lse: Tensor,
    /// Σ out · d_out, `(rows, 1)`.
    pub delta: Tensor,
}
// ANCHOR_END: query_block

impl From<[Tensor; 4]> for QueryBlock {
    fn from([q, d_out, lse, delta]: [Tensor; 4]) -> Self {
        Self { q, d_out, lse, delta }
    }
}

/// How many queries and keys there are, `(seq_q, seq_k)`, or an error when shapes do not fit.
///
/// q `(seq_q, d)`, k `(seq_k, d)`, v `(seq_k, d_v)`. Without the error, a tile cut out of longer values would not notice.
pub fn lengths(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<(usize, usize)> {
    match (q.dims(), k.dims(), v.dims()) {
        ([seq_q, d_q], [seq_k, d_k], [values, _]) if d_q == d_k && seq_k == values => {
            Ok((*seq_q, *seq_k))
        }
        (q, k, v) => bail!("expected q (n, d), k (m, d), v (m, d_v); got {q:?}, {k:?}, {v:?}"),
    }
}

/// The ranges `0..block`, `block..2 * block`, … up to `len`, the last perhaps shorter; an error when `block` is 0.
pub fn blocks(len: usize, block: usize) -> Result<impl Iterator<Item = Range<usize>>> {
    if block == 0 {
        bail!("block: expected at least 1; got 0");
    }
    Ok((0..len).step_by(block).map(move |start| start..(start + block).min(len)))
}

/// A tile of the causal mask, bottom-right, for these queries and keys of sequences that are `seq_q` and `seq_k` long as
/// a whole: u8, 1 = may attend, on the device of `like`.
///
/// → `(queries, keys)`. The lengths of the whole sequences say where the diagonal lies.
pub fn keep_tile(
    queries: &Range<usize>,
    keys: &Range<usize>,
    (seq_q, seq_k): (usize, usize),
    like: &Tensor,
) -> Result<Tensor> {
    let keep = |query: usize| keys.clone().map(move |key| u8::from(key + seq_q <= query + seq_k));
    let numbers: Vec<u8> = queries.clone().flat_map(keep).collect();
    Tensor::from_vec(numbers, (queries.len(), keys.len()), like.device())
}

/// The scores of a tile: q·kᵀ · `scale`, −∞ where `keep` is 0; an error when shapes do not fit.
///
/// q `(rows, d)`, k `(cols, d)`, `keep` `(rows, cols)`, u8 → `(rows, cols)`.
pub fn tile_scores(q: &Tensor, k: &Tensor, scale: f64, keep: Option<&Tensor>) -> Result<Tensor> {
    let s = (matmul(q, &k.t()?)? * scale)?;
    match keep {
        Some(keep) => keep.where_cond(&s, &(s.zeros_like()? + f64::NEG_INFINITY)?),
        None => Ok(s),
    }
}

/// `x` with 0 in place of −∞, for a maximum or a log-sum-exp that will be subtracted.
///
/// −∞ − (−∞) would be NaN; −∞ − 0 stays −∞, whose exponential is 0.
pub fn zero_if_infinite(x: &Tensor) -> Result<Tensor> {
    x.eq(f64::NEG_INFINITY)?.where_cond(&x.zeros_like()?, x)
}
