//! Week 6, solved: measures of what heads do.

use candle_core::{D, DType, Result, Tensor, bail};
use dot_products::matmul::matmul;

// ANCHOR: previous_token_score
/// How much each head looks at the token before: the mean over batch and queries
/// of the weight of query i on key i − 1. Query 0 has no token before it and does
/// not count.
///
/// Self-attention `weights` `(batch, heads, seq, seq)` → `(heads)`, from 0 to 1.
/// Errors unless there are as many keys as queries, at least two, and a batch and
/// heads that are not empty.
pub fn previous_token_score(weights: &Tensor) -> Result<Tensor> {
    diagonal_mean(weights, 1, 0)
}

/// The mean weight of query `query` + n on key `key` + n, over the batch and as
/// many n as there are queries.
fn diagonal_mean(weights: &Tensor, query: usize, key: usize) -> Result<Tensor> {
    let (_, _, seq, seq_k) = weights.dims4()?;
    if seq != seq_k || seq <= query || weights.elem_count() == 0 {
        let got = weights.dims();
        bail!(
            "weights: expected (batch, heads, seq, seq), seq above {query}; got {got:?}"
        );
    }
    let rest = seq - query;
    let eye = Tensor::eye(rest, weights.dtype(), weights.device())?;
    let corner = weights.narrow(2, query, rest)?.narrow(3, key, rest)?;
    corner.broadcast_mul(&eye)?.sum((2, 3))?.mean(0)? / rest as f64
}
// ANCHOR_END: previous_token_score

// ANCHOR: induction_score
/// How much each head looks for what came next last time, on sequences in which a
/// block of `period` tokens repeats: the mean over batch and queries i ≥ `period`
/// of the weight on key i − `period` + 1, the token after the one that stood at i
/// a period ago (Olsson and others 2022).
///
/// Self-attention `weights` `(batch, heads, seq, seq)` → `(heads)`, from 0 to 1.
/// Errors as `previous_token_score` does, when `period` is 0, or when nothing
/// repeats: `period` is not below seq.
pub fn induction_score(weights: &Tensor, period: usize) -> Result<Tensor> {
    if period == 0 {
        bail!("period: expected at least 1 token; got 0");
    }
    diagonal_mean(weights, period, 1)
}
// ANCHOR_END: induction_score

// ANCHOR: attention_entropy
/// How widely each head looks: the mean over batch and queries of the entropy
/// −Σ w ln w of a query's weights, in nats. A weight of 0 adds 0.
///
/// `weights` `(batch, heads, seq_q, seq_k)`, f32 or f64 → `(heads)`: 0 when every
/// query looks at one key, ln(seq_k) when each looks at all keys alike. Small
/// weights count in full, down to 1e-37. Errors when there are not four
/// dimensions, one of them is 0, or the type is another: in f16 a sum of so many
/// small terms would be mostly rounding.
pub fn attention_entropy(weights: &Tensor) -> Result<Tensor> {
    weights.dims4()?;
    if weights.elem_count() == 0 || !matches!(weights.dtype(), DType::F32 | DType::F64)
    {
        let got = (weights.dims(), weights.dtype());
        bail!("weights: expected at least one number, f32 or f64; got {got:?}");
    }
    let logs = weights.maximum(f64::from(f32::MIN_POSITIVE))?.log()?; // ln 0 would be −∞
    (weights * logs.neg()?)?.sum(D::Minus1)?.mean((0, 2))
}
// ANCHOR_END: attention_entropy

// ANCHOR: head_diversity
/// How differently any two heads of a model look: the mean over all real queries
/// of ½ Σₖ |wₖ − uₖ|, where k runs over the keys, w and u are the two heads'
/// weights.
///
/// `maps`: one `(batch, heads, seq_q, seq_k)` per layer, rows summing to one; `real`
/// `(batch, seq_q)`, u8, 1 = a token, 0 = padding, whose queries do not count. →
/// `(n, n)`, where n counts the heads of all layers, first layer first: 0 for two
/// heads that look alike, 1 for two that never look at the same key. Errors
/// without layers, when shapes do not fit or no query is real.
pub fn head_diversity(maps: &[Tensor], real: &Tensor) -> Result<Tensor> {
    let Some(first) = maps.first() else {
        bail!("maps: expected at least one layer; got none");
    };
    let (batch, _, seq_q, _) = first.dims4()?;
    if real.dims() != [batch, seq_q] {
        bail!(
            "real: expected (batch, seq_q) = {:?}; got {:?}",
            [batch, seq_q],
            real.dims()
        );
    }
    let heads = Tensor::cat(maps, 1)?; // (batch, n, seq_q, seq_k)
    let real = real.to_dtype(heads.dtype())?.reshape((batch, 1, seq_q))?;
    if heads.elem_count() == 0
        || real.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0.
    {
        bail!("real: expected at least one query that counts, of at least one head");
    }
    let from = |head| {
        let apart =
            heads.broadcast_sub(&heads.narrow(1, head, 1)?)?.abs()?.sum(D::Minus1)?;
        apart.broadcast_mul(&real)?.sum((0, 2)) // (n)
    };
    let rows = (0..heads.dim(1)?).map(from).collect::<Result<Vec<_>>>()?;
    Tensor::stack(&rows, 0)?.broadcast_div(&(real.sum_all()? * 2.)?)
}
// ANCHOR_END: head_diversity

// ANCHOR: ablate_head
/// The heads' outputs with one head switched off: whatever it found, it now puts
/// out zeros or, when there is an `instead`, those numbers for every token.
///
/// `heads` `(batch, num_heads, seq, head_dim)`, before they are combined, and
/// `instead` `(head_dim)`, of the same type: as a rule the head's mean output over
/// *other* inputs, so that it says nothing about this one. → The same shape as
/// `heads`; the other heads stay as they are. Without batch or tokens it is empty,
/// as before. Errors when there is no head number `head`, counted from 0, or when
/// `instead` does not have head_dim numbers.
pub fn ablate_head(
    heads: &Tensor,
    head: usize,
    instead: Option<&Tensor>,
) -> Result<Tensor> {
    let (_, num_heads, _, head_dim) = heads.dims4()?;
    if head >= num_heads {
        bail!(
            "head: expected a number below {num_heads}, the number of heads; got {head}"
        );
    }
    let one = heads.narrow(1, head, 1)?; // (batch, 1, seq, head_dim)
    let off = match instead {
        Some(numbers) if numbers.dims() != [head_dim] => {
            bail!("instead: expected ({head_dim}); got {:?}", numbers.dims())
        }
        Some(numbers) => numbers.broadcast_as(one.shape())?,
        None => one.zeros_like()?,
    };
    let after = num_heads - head - 1;
    let (before, after) =
        (heads.narrow(1, 0, head)?, heads.narrow(1, head + 1, after)?);
    Tensor::cat(&[before, off, after], 1)
}
// ANCHOR_END: ablate_head

// ANCHOR: rollout
/// From which input tokens the numbers of each token come, through all layers:
/// attention rollout (Abnar and Zuidema 2020).
///
/// `maps`: one self-attention `(batch, heads, seq, seq)` per layer, the first layer
/// first → `(batch, seq, seq)`, rows summing to one. A layer is the mean of its
/// heads plus the identity, which stands for the residual path, with rows divided
/// by their sum; the layers are multiplied, a later one from the left. Errors
/// without layers or heads, and when shapes do not fit.
pub fn rollout(maps: &[Tensor]) -> Result<Tensor> {
    let mut flow = None;
    for map in maps {
        let (_, heads, seq, seq_k) = map.dims4()?;
        if seq != seq_k || heads == 0 {
            bail!(
                "maps: expected (batch, heads, seq, seq) with heads; got {:?}",
                map.dims()
            );
        }
        let eye = Tensor::eye(seq, map.dtype(), map.device())?;
        let mixed = map.mean(1)?.broadcast_add(&eye)?; // (batch, seq, seq)
        let layer = mixed.broadcast_div(&mixed.sum_keepdim(D::Minus1)?)?;
        flow = Some(match flow {
            None => layer,
            Some(below) => matmul(&layer, &below)?,
        });
    }
    match flow {
        Some(flow) => Ok(flow),
        None => bail!("maps: expected at least one layer; got none"),
    }
}
// ANCHOR_END: rollout
