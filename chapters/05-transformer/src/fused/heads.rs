//! All heads of an attention in one operation, on the projections as they lie.

use super::lanes::{LANES, Lane, lanes, product, vectorised};
use super::numbers::{Numbers, slice};
use super::packed::{Bias, Packed, write};
use super::rows::{multiply, softmax, softmax_backward};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

/// The sizes of an attention; `dim` is one head's.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) seq_q: usize,
    pub(super) seq_k: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) dim: usize,
}

/// softmax(Q·Kᵀ / √dim + mask)·V for each head: query `(batch, seq_q, heads · dim)`, key and value
/// `(batch, seq_k, kv_heads · dim)` → `(batch, seq_q, heads · dim)`. A query with nothing to see gets zeros.
pub(super) struct Heads {
    sizes: Sizes,
    /// u8 (1 = may attend) or f32 (added), a view `(batch, heads, seq_q, seq_k)`.
    mask: Option<Tensor>,
    /// What dropout multiplies the weights by, contiguous.
    kept: Option<Tensor>,
    /// The weights before dropout, for the way back: for each batch, head and query `lanes(seq_k)` lanes.
    weights: OnceLock<Vec<Lane>>,
}

impl Heads {
    pub(super) fn new(sizes: Sizes, mask: Option<Tensor>, kept: Option<Tensor>) -> Self {
        Self { sizes, mask, kept, weights: OnceLock::new() }
    }

    fn scale(&self) -> f32 {
        1. / (self.sizes.dim as f32).sqrt()
    }

    /// Each batch and head with its place among the keys' heads.
    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let Sizes { batch, heads, kv_heads, dim, .. } = self.sizes;
        (0..batch * heads).map(move |index| {
            let (batch, head) = (index / heads, index % heads);
            let kv_head = head / (heads / kv_heads);
            Place { index, batch, query: head * dim, key: kv_head * dim }
        })
    }

    fn kept(&self) -> Result<Option<Numbers<'_>>> {
        self.kept.as_ref().map(Numbers::of).transpose()
    }
}

/// A batch and a head: where its columns begin in the queries and in the keys.
struct Place {
    index: usize,
    batch: usize,
    query: usize,
    key: usize,
}

impl CustomOp3 for Heads {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (query, key) = (slice(query, query_layout)?, slice(key, key_layout)?);
        let (value, kept) = (slice(value, value_layout)?, self.kept()?);
        let bias = Bias::new(self.mask.as_ref(), [self.sizes.seq_q, self.sizes.seq_k])?;
        let (out, weights) = vectorised(
            #[inline(always)]
            || self.forward([query, key, value], bias, kept.as_deref()),
        );
        let _ = self.weights.set(weights);
        Ok((CpuStorage::F32(out), query_layout.shape().clone()))
    }

    fn bwd(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(weights) = self.weights.get() else {
            bail!("{}: backward before forward", self.name())
        };
        let (grad, kept) = (grad.contiguous()?, self.kept()?);
        let [q, k, v] = [Numbers::of(query)?, Numbers::of(key)?, Numbers::of(value)?];
        let grad = Numbers::of(&grad)?;
        let grads = vectorised(
            #[inline(always)]
            || self.backward([&q, &k, &v], weights, &grad, kept.as_deref()),
        );
        let [q_grad, k_grad, v_grad] = grads;
        let wanted = |input: &Tensor, grad| {
            let grad = || Tensor::from_vec(grad, input.shape(), input.device());
            input.track_op().then(grad).transpose()
        };
        Ok((wanted(query, q_grad)?, wanted(key, k_grad)?, wanted(value, v_grad)?))
    }
}

impl Heads {
    #[inline(always)]
    fn forward(
        &self,
        [query, key, value]: [&[f32]; 3],
        mut bias: Bias,
        kept: Option<&[f32]>,
    ) -> (Vec<f32>, Vec<Lane>) {
        let Sizes { batch, seq_q, seq_k, heads, kv_heads, dim } = self.sizes;
        let (columns, key_columns) = (heads * dim, kv_heads * dim);
        let (key_lanes, dim_lanes, scale) = (lanes(seq_k), lanes(dim), self.scale());
        let mut out = vec![0.; batch * seq_q * columns];
        let mut all = vec![[0.; LANES]; batch * heads * seq_q * key_lanes];
        let (mut keys, mut values, mut dropped) =
            (Packed::new(dim, seq_k), Packed::new(seq_k, dim), vec![]);
        for place in self.places() {
            let queries = &query[place.batch * seq_q * columns..][..seq_q * columns];
            let from = place.batch * seq_k * key_columns + place.key;
            keys.fill_transposed(key, from, key_columns);
            values.fill(value, from, key_columns);
            let weights = &mut all[place.index * seq_q * key_lanes..][..seq_q * key_lanes];
            let bias = bias.of(place.batch, place.index % heads);
            let q = |row: usize, at: usize| queries[row * columns + place.query + at] * scale;
            product([seq_q, dim, key_lanes], q, &keys.lanes, |row, lane, scores| {
                let at = row * key_lanes + lane;
                for ((weight, score), bias) in weights[at].iter_mut().zip(scores).zip(&bias[at]) {
                    *weight = score + bias;
                }
            });
            for row in weights.chunks_exact_mut(key_lanes.max(1)) {
                softmax(row);
            }
            let weights = kept_of(weights, kept, [place.index, seq_q, seq_k], &mut dropped);
            let weights = weights.as_flattened();
            let w = |row: usize, at: usize| weights[row * key_lanes * LANES + at];
            let out = &mut out[place.batch * seq_q * columns..][..seq_q * columns];
            product([seq_q, seq_k, dim_lanes], w, &values.lanes, |row, lane, sums| {
                let from = lane * LANES;
                let out = &mut out[row * columns + place.query + from..][..LANES.min(dim - from)];
                write(out, sums, |out, sum| *out = sum);
            });
        }
        (out, all)
    }

    /// The gradients by query, key and value.
    #[inline(always)]
    fn backward(
        &self,
        [query, key, value]: [&[f32]; 3],
        all: &[Lane],
        grad: &[f32],
        kept: Option<&[f32]>,
    ) -> [Vec<f32>; 3] {
        let Sizes { seq_q, seq_k, heads, kv_heads, dim, .. } = self.sizes;
        let (columns, key_columns) = (heads * dim, kv_heads * dim);
        let (key_lanes, dim_lanes, scale) = (lanes(seq_k), lanes(dim), self.scale());
        let [mut q_grad, mut k_grad, mut v_grad] = [query, key, value].map(|x| vec![0.; x.len()]);
        let [mut queries, mut grads] = [(); 2].map(|()| Packed::new(seq_q, dim));
        let (mut keys, mut values) = (Packed::new(seq_k, dim), Packed::new(dim, seq_k));
        let (mut dropped, mut slopes) = (vec![], vec![[0.; LANES]; seq_q * key_lanes]);
        for place in self.places() {
            let from_q = place.batch * seq_q * columns + place.query;
            let from_k = place.batch * seq_k * key_columns + place.key;
            queries.fill(query, from_q, columns);
            grads.fill(grad, from_q, columns);
            keys.fill(key, from_k, key_columns);
            values.fill_transposed(value, from_k, key_columns);
            let weights = &all[place.index * seq_q * key_lanes..][..seq_q * key_lanes];

            // By the weights, then by the scores: w ∘ (g − Σⱼ wⱼ gⱼ), times the scale.
            let g = |row: usize, at: usize| grad[from_q + row * columns + at];
            let keep =
                |row: usize, lane: usize, sums: &Lane| slopes[row * key_lanes + lane] = *sums;
            product([seq_q, dim, key_lanes], g, &values.lanes, keep);
            if let Some(kept) = kept {
                multiply(&mut slopes, kept, [place.index, seq_q, seq_k]);
            }
            for (slopes, weights) in slopes
                .chunks_exact_mut(key_lanes.max(1))
                .zip(weights.chunks_exact(key_lanes.max(1)))
            {
                softmax_backward(slopes, weights, scale);
            }

            let flat = slopes.as_flattened();
            let s = |row: usize, at: usize| flat[row * key_lanes * LANES + at];
            let add = |sums: &Lane, to: &mut [f32]| write(to, sums, |to, sum| *to += sum);
            let width = |lane: usize| LANES.min(dim - lane * LANES);
            product([seq_q, seq_k, dim_lanes], s, &keys.lanes, |row, lane, sums| {
                add(sums, &mut q_grad[from_q + row * columns + lane * LANES..][..width(lane)]);
            });
            product(
                [seq_k, seq_q, dim_lanes],
                |row, at| s(at, row),
                &queries.lanes,
                |row, lane, sums| {
                    add(
                        sums,
                        &mut k_grad[from_k + row * key_columns + lane * LANES..][..width(lane)],
                    );
                },
            );
            let weights = kept_of(weights, kept, [place.index, seq_q, seq_k], &mut dropped);
            let weights = weights.as_flattened();
            let w = |row: usize, at: usize| weights[at * key_lanes * LANES + row];
            product([seq_k, seq_q, dim_lanes], w, &grads.lanes, |row, lane, sums| {
                add(sums, &mut v_grad[from_k + row * key_columns + lane * LANES..][..width(lane)]);
            });
        }
        [q_grad, k_grad, v_grad]
    }
}

/// The weights after dropout: `weights` themselves when there is none, otherwise made in `dropped`.
#[inline(always)]
fn kept_of<'a>(
    weights: &'a [Lane],
    kept: Option<&[f32]>,
    sizes: [usize; 3],
    dropped: &'a mut Vec<Lane>,
) -> &'a [Lane] {
    let Some(kept) = kept else { return weights };
    dropped.clear();
    dropped.extend_from_slice(weights);
    multiply(dropped, kept, sizes);
    dropped
}
