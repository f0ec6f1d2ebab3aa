//! What the arguments of an attention must hold, the same whatever computes it.

use crate::solution::check_seqlens;
use candle_core::{DType, Result, Tensor, bail};

/// q, k and v of a dense batch, `(batch, heads, seq, head_dim)`, and the scale.
pub(crate) fn dense([q, k, v]: [&Tensor; 3], scale: f32) -> Result<()> {
    let axes = "(batch, heads, seq, head_dim)";
    let [batch, heads_q, _, head_dim] = dims("q", q, axes)?;
    let [_, heads_kv, seq_k, _] = dims("k", k, axes)?;
    dims::<4>("v", v, axes)?;
    together([q, k, v], axes, &[batch, heads_kv, seq_k, head_dim])?;
    heads(heads_q, heads_kv)?;
    finite(scale)
}

/// q, k and v of a packed batch, `(total, heads, head_dim)`, its lengths and the scale; and the entries of both
/// `cu_seqlens`, wherever they are.
pub(crate) fn varlen(
    [q, k, v]: [&Tensor; 3],
    [cu_q, cu_k]: [&Tensor; 2],
    [max_q, max_k]: [usize; 2],
    scale: f32,
) -> Result<[Vec<u32>; 2]> {
    let axes = "(total, heads, head_dim)";
    let [total_q, heads_q, head_dim] = dims("q", q, axes)?;
    let [total_k, heads_kv, _] = dims("k", k, axes)?;
    dims::<3>("v", v, axes)?;
    together([q, k, v], axes, &[total_k, heads_kv, head_dim])?;
    heads(heads_q, heads_kv)?;
    finite(scale)?;
    let (ends_q, ends_k) = (ends("q", cu_q, total_q, max_q)?, ends("k", cu_k, total_k, max_k)?);
    if ends_q.len() != ends_k.len() {
        let (expected, got) = (ends_q.len(), ends_k.len());
        bail!("cu_seqlens_k: expected {expected} entries, as cu_seqlens_q has; got {got}");
    }
    Ok([ends_q, ends_k])
}

fn dims<const RANK: usize>(name: &str, x: &Tensor, axes: &str) -> Result<[usize; RANK]> {
    match x.dims().try_into() {
        Ok(dims) => Ok(dims),
        Err(_) => bail!("{name}: expected {RANK} dimensions, {axes}; got {:?}", x.dims()),
    }
}

/// k and v have this shape, and the type and the place of q.
fn together([q, k, v]: [&Tensor; 3], axes: &str, expected: &[usize]) -> Result<()> {
    if !matches!(q.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16) {
        bail!("q: expected f32, f64, f16 or bf16; got {:?}. Use `to_dtype`", q.dtype());
    }
    for (name, x) in [("k", k), ("v", v)] {
        if x.dims() != expected {
            bail!(
                "{name}: expected {axes} = {expected:?} beside q {:?}; got {:?}",
                q.dims(),
                x.dims()
            );
        }
        if x.dtype() != q.dtype() {
            let (expected, got) = (q.dtype(), x.dtype());
            bail!("{name}: expected {expected:?}, as q has; got {got:?}. Use `to_dtype`");
        }
        let (expected, got) = (q.device().location(), x.device().location());
        if expected != got {
            bail!("{name}: expected on {expected:?}, as q; got {got:?}. Use `to_device`");
        }
    }
    Ok(())
}

fn heads(heads_q: usize, heads_kv: usize) -> Result<()> {
    if heads_q != 0 && (heads_kv == 0 || !heads_q.is_multiple_of(heads_kv)) {
        bail!("k: expected a number of heads that divides q's {heads_q}; got {heads_kv}");
    }
    Ok(())
}

fn finite(scale: f32) -> Result<()> {
    if !scale.is_finite() {
        bail!("scale: expected a finite number; got {scale}");
    }
    Ok(())
}

/// The entries of the cumulative lengths of the queries (`of` "q") or of the keys.
fn ends(of: &str, cu_seqlens: &Tensor, total: usize, max_seqlen: usize) -> Result<Vec<u32>> {
    if cu_seqlens.rank() != 1 || cu_seqlens.dtype() != DType::U32 {
        let (dtype, dims) = (cu_seqlens.dtype(), cu_seqlens.dims());
        bail!("cu_seqlens_{of}: expected u32, (batch + 1); got {dtype:?}, {dims:?}");
    }
    let ends = match cu_seqlens.elem_count() {
        0 => vec![], // there may be no memory to read
        _ => cu_seqlens.to_vec1::<u32>()?,
    };
    match check_seqlens(&ends, total, max_seqlen) {
        Ok(()) => Ok(ends),
        // It speaks of "cu_seqlens" or "max_seqlen": here it is known whose.
        Err(error) => match error.to_string().lines().next().and_then(|text| text.split_once(": "))
        {
            Some((name, why)) => bail!("{name}_{of}: {why}"),
            None => Err(error),
        },
    }
}
