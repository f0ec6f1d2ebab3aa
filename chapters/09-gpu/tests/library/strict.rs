//! A stand-in for candle-flash-attn on the CPU: as strict as its source (0.11.1), where that refuses, where its kernel
//! would read what it must not, and where it leaves its result unwritten without a word. And the same with faults.

use candle_core::{
    CpuStorage, CustomOp3, D, DType, Device, Layout, Result, Shape, Storage, Tensor, bail,
};
use gpu::api::Api;
use std::cell::Cell;

/// What is wrong with a stand-in.
pub mod fault {
    /// Nothing.
    pub const NONE: u8 = 0;
    /// Causal is aligned top-left.
    pub const TOP_LEFT: u8 = 1;
    /// The scale is ignored.
    pub const NO_SCALE: u8 = 2;
    /// Query head i reads key-value head i % heads_kv.
    pub const HEADS: u8 = 3;
    /// The last key is left out.
    pub const LAST_KEY: u8 = 4;
    /// A packed sequence without keys reads one of its neighbour's.
    pub const NEIGHBOUR: u8 = 5;
    /// Scores are kept in bf16.
    pub const COARSE: u8 = 6;
    /// A query with nothing to see sees all.
    pub const SEES_ALL: u8 = 7;
    /// No kernel runs.
    pub const IDLE: u8 = 8;
    /// Every third run differs in the last bits.
    pub const UNSTEADY: u8 = 9;
    /// The queries of a packed sequence after its first 128 are left out.
    pub const ONE_BLOCK: u8 = 10;
    /// Packed sequences see one token of the next.
    pub const LEAK: u8 = 11;
    /// No maximum is taken off the scores.
    pub const NO_MAX: u8 = 12;
}
use fault::*;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has called a stand-in.
pub fn calls() -> usize {
    CALLS.get()
}

/// A stand-in.
pub const fn api<const FAULT: u8>() -> Api {
    Api { dense: dense::<FAULT>, varlen: varlen::<FAULT> }
}

/// The result, computed beforehand: an operation without a backward pass, as the real one.
struct Done(&'static str, Tensor);

impl CustomOp3 for Done {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match &*self.1.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), self.1.shape().clone())),
            _ => bail!("the stand-in computes on the CPU"),
        }
    }
}

/// What the real one refuses of q, k and v, and what its kernel could not read.
fn strict(name: &str, rank: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
    if !matches!(q.dtype(), DType::F16 | DType::BF16) {
        bail!("flash-attn is only supported for f16/bf16 ({:?})", q.dtype());
    }
    if [k, v].iter().any(|x| x.dtype() != q.dtype()) {
        bail!("unexpected dtype, expected: {:?}", q.dtype());
    }
    if [q, k, v].iter().any(|x| x.rank() != rank) {
        bail!("{name} expects input tensors of rank {rank}");
    }
    for (name, x) in [("q", q), ("k", k), ("v", v)] {
        if x.stride()[rank - 1] != 1 {
            bail!("the last dim of {name} must be contiguous {:?}", x.stride());
        }
    }
    let inputs = [("q", q), ("k", k), ("v", v)];
    let (q, k, v) = (q.dims(), k.dims(), v.dims());
    if k[rank - 1] != q[rank - 1] || (rank == 4 && k[0] != q[0]) {
        bail!("shape mismatch q {q:?} and k {k:?}");
    }
    if k != v {
        bail!("shape mismatch q {q:?} and v {v:?}"); // the real one's text
    }
    let (heads, heads_kv, head_dim) = match rank {
        4 => (q[2], k[2], q[3]),
        _ => (q[1], k[1], q[2]),
    };
    if head_dim > 512 {
        bail!("only supports head dimension at most 512 (got {head_dim})");
    }
    if head_dim % 8 != 0 {
        bail!("only supports head sizes that are a multiple of 8 (got {head_dim})");
    }
    if heads_kv == 0 {
        panic!("attempt to calculate the remainder with a divisor of zero");
    }
    if heads % heads_kv != 0 {
        bail!("number of k/v heads {heads_kv} must divide number of heads in query {heads}");
    }
    inputs.into_iter().try_for_each(|(name, x)| readable(name, x))
}

/// What the kernel can read: 16 bytes at a time.
fn readable(name: &str, x: &Tensor) -> Result<()> {
    let rows = x.dims().iter().zip(x.stride()).rev().skip(1);
    let mut strides = rows.filter(|(size, _)| **size > 1).map(|(_, stride)| *stride);
    if !x.layout().start_offset().is_multiple_of(8) || strides.any(|stride| stride % 8 != 0) {
        bail!("CUDA: misaligned address: {name} {:?}", x.layout());
    }
    if x.elem_count() == 0 {
        bail!("CUDA: an empty launch or allocation: {name} {:?}", x.dims());
    }
    Ok(())
}

/// Memory that nobody has written to.
fn unwritten(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::full(f32::NAN, shape, &Device::Cpu)?.to_dtype(dtype)
}

fn dense<const FAULT: u8>(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    causal: bool,
) -> Result<Tensor> {
    CALLS.set(CALLS.get() + 1);
    strict("flash-attn", 4, q, k, v)?;
    let (batch, _, heads, _) = q.dims4()?;
    let launched = batch <= 65_535 && heads <= 65_535 && FAULT != IDLE;
    let out = if launched {
        let heads = |x: &Tensor, at| x.detach().get(at)?.transpose(0, 1); // (heads, seq, head_dim)
        let one = |at| {
            attention::<FAULT>([heads(q, at)?, heads(k, at)?, heads(v, at)?], scale, causal)?
                .transpose(0, 1)
        };
        Tensor::stack(&(0..batch).map(one).collect::<Result<Vec<_>>>()?, 0)?
    } else {
        unwritten(q.dims(), q.dtype())?
    };
    q.apply_op3(k, v, Done("flash-attn", out.contiguous()?))
}

#[expect(clippy::too_many_arguments, reason = "as the real one")]
fn varlen<const FAULT: u8>(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cu_seqlens_q: &Tensor,
    cu_seqlens_k: &Tensor,
    max_seqlen_q: usize,
    max_seqlen_k: usize,
    scale: f32,
    causal: bool,
) -> Result<Tensor> {
    CALLS.set(CALLS.get() + 1);
    for (name, x) in [("seqlens_q", cu_seqlens_q), ("seqlens_k", cu_seqlens_k)] {
        if x.dtype() != DType::U32 {
            bail!("unexpected dtype, expected: U32, got: {:?}", x.dtype());
        }
        if !x.is_contiguous() {
            bail!("{name} has to be contiguous");
        }
    }
    strict("flash-attn-varlen", 3, q, k, v)?;
    let (ends_q, ends_k) = (cu_seqlens_q.to_vec1::<u32>()?, cu_seqlens_k.to_vec1::<u32>()?);
    if ends_q.len() < 2 {
        bail!("seqlens_q should have a len >= 2 {}", ends_q.len());
    }
    if ends_k.len() != ends_q.len() {
        let (q, k) = (ends_q.len(), ends_k.len());
        bail!("seqlens_q and seqlens_k should have the same number of elements {q} <> {k}");
    }
    // They are rounded up to blocks of 128 and become 32-bit numbers.
    if max_seqlen_q.max(max_seqlen_k) > u32::MAX as usize - 127 {
        bail!("attempt to multiply with overflow: {max_seqlen_q}, {max_seqlen_k}");
    }
    let (total_q, heads, head_dim) = q.dims3()?;
    let sequences = ends_q.len() - 1;
    if sequences > 65_535 || heads > 65_535 || max_seqlen_q == 0 || FAULT == IDLE {
        let out = unwritten(q.dims(), q.dtype())?; // the launch fails
        return q.apply_op3(k, v, Done("flash-attn-varlen", out));
    }
    // What no sequence holds stays as it is.
    let mut rows = vec![unwritten(&[1, heads, head_dim], q.dtype())?; total_q];
    for at in 0..sequences {
        let part = |x: &Tensor, ends: &[u32], more: u32| -> Result<Tensor> {
            let (start, end) = (ends[at], ends[at + 1]);
            if start > end || end as usize > x.dim(0)? {
                bail!("CUDA: an illegal memory access: {start} .. {end} of {}", x.dim(0)?);
            }
            let end = (end + more).min(x.dim(0)? as u32);
            x.detach().narrow(0, start as usize, (end - start) as usize)?.transpose(0, 1)
        };
        let empty = ends_k[at] == ends_k[at + 1];
        let more = u32::from(FAULT == LEAK || FAULT == NEIGHBOUR && empty);
        let inputs = [part(q, &ends_q, 0)?, part(k, &ends_k, more)?, part(v, &ends_k, more)?];
        let queries = inputs[0].dim(1)?;
        if queries == 0 {
            continue;
        }
        let out = attention::<FAULT>(inputs, scale, causal)?.transpose(0, 1)?;
        let blocks = if FAULT == ONE_BLOCK { 128 } else { max_seqlen_q };
        for query in 0..queries.min(blocks) {
            rows[ends_q[at] as usize + query] = out.narrow(0, query, 1)?;
        }
    }
    q.apply_op3(k, v, Done("flash-attn-varlen", Tensor::cat(&rows, 0)?))
}

/// One sequence: q `(heads, seq_q, head_dim)`, k and v `(heads_kv, seq_k, head_dim)` → as q, with the kernel's steps.
fn attention<const FAULT: u8>([q, k, v]: [Tensor; 3], scale: f32, causal: bool) -> Result<Tensor> {
    let (dtype, (heads, seq_q, _)) = (q.dtype(), q.dims3()?);
    let (heads_kv, seq_k, _) = k.dims3()?;
    if seq_k == 0 {
        return q.zeros_like();
    }
    let of = |head: usize| if FAULT == HEADS { head % heads_kv } else { head * heads_kv / heads };
    let index =
        Tensor::new((0..heads).map(|head| of(head) as u32).collect::<Vec<_>>(), q.device())?;
    let wide = |x: &Tensor| x.contiguous()?.to_dtype(DType::F32);
    let shared = |x: &Tensor| wide(x)?.index_select(&index, 0);
    let (q, k, v) = (wide(&q)?, shared(&k)?, shared(&v)?);
    let mut scores = q.matmul(&k.t()?)?; // (heads, seq_q, seq_k), not scaled yet
    if FAULT == COARSE {
        scores = scores.to_dtype(DType::BF16)?.to_dtype(DType::F32)?;
    }
    let seen = |query: usize| match (causal, FAULT) {
        (false, LAST_KEY) => seq_k - 1,
        (false, _) => seq_k,
        (true, TOP_LEFT) => (query + 1).min(seq_k),
        (true, LAST_KEY) => (query + seq_k).saturating_sub(seq_q),
        (true, SEES_ALL) if query + seq_k < seq_q => seq_k,
        (true, _) => (query + 1 + seq_k).saturating_sub(seq_q),
    };
    let hides = |query: usize| {
        let mut row = vec![f32::NEG_INFINITY; seq_k];
        row[..seen(query)].fill(0.);
        row
    };
    let mask = Tensor::from_vec((0..seq_q).flat_map(hides).collect(), (seq_q, seq_k), q.device())?;
    scores = scores.broadcast_add(&mask)?;
    let scale = if FAULT == NO_SCALE { 1. } else { f64::from(scale) };
    let largest = scores.max_keepdim(D::Minus1)?; // before it is scaled
    let none = largest.eq(f32::NEG_INFINITY)?;
    let zeros = largest.zeros_like()?;
    let mut shift = none.where_cond(&zeros, &(&largest * scale)?)?;
    if FAULT == NO_MAX {
        shift = zeros.clone();
    }
    let weights = (scores * scale)?.broadcast_sub(&shift)?.exp()?;
    let sums = weights.sum_keepdim(D::Minus1)?;
    let nothing = (sums.eq(0f32)? + sums.ne(&sums)?)?; // no sum, or NaN
    let sums = nothing.where_cond(&sums.ones_like()?, &sums)?;
    let half = weights.to_dtype(dtype)?.to_dtype(DType::F32)?; // as the tensor cores take them
    let mut out = half.matmul(&v)?.broadcast_div(&sums)?;
    if FAULT == UNSTEADY && calls().is_multiple_of(3) {
        out = (out * 1.01)?;
    }
    out.to_dtype(dtype)
}
