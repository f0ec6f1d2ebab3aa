//! All heads of an attention in one operation, on the projections as they lie.

use super::lanes::{LANES, Lane, lanes, product, vectorised};
use super::numbers::{Numbers, gradient_of, slice};
use super::packed::{Bias, Packed, Rows};
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
    pub(super) fn new(
        sizes: Sizes,
        mask: Option<Tensor>,
        kept: Option<Tensor>,
    ) -> Self {
        Self { sizes, mask, kept, weights: OnceLock::new() }
    }

    fn scale(&self) -> f32 {
        1. / (self.sizes.dim as f32).sqrt()
    }

    /// Where each head of each sequence begins.
    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let Sizes { batch, seq_q, seq_k, heads, kv_heads, dim } = self.sizes;
        (0..batch * heads).map(move |index| {
            let (batch, head) = (index / heads, index % heads);
            let kv_head = head / (heads / kv_heads);
            let query = (batch * seq_q * heads + head) * dim;
            let key = (batch * seq_k * kv_heads + kv_head) * dim;
            Place { index, batch, head, query, key }
        })
    }

    fn kept(&self) -> Result<Option<Numbers<'_>>> {
        self.kept.as_ref().map(Numbers::of).transpose()
    }
}

/// One head of one sequence.
struct Place {
    /// Its number among all heads of all sequences.
    index: usize,
    batch: usize,
    head: usize,
    /// Where it begins in the queries, and in the keys and values.
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
        Ok((
            gradient_of(query, q_grad)?,
            gradient_of(key, k_grad)?,
            gradient_of(value, v_grad)?,
        ))
    }
}

impl Heads {
    /// The output, and the weights before dropout.
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
        let mut out = vec![0.; query.len()];
        let mut all = vec![[0.; LANES]; batch * heads * seq_q * key_lanes];
        let (mut keys, mut values) = (Packed::new(dim, seq_k), Packed::new(seq_k, dim));
        let mut dropped = vec![];
        for place in self.places() {
            keys.fill_transposed(key, place.key, key_columns);
            values.fill(value, place.key, key_columns);
            let bias = bias.of(place.batch, place.head);
            let weights =
                &mut all[place.index * seq_q * key_lanes..][..seq_q * key_lanes];

            let q =
                |row: usize, at: usize| query[place.query + row * columns + at] * scale;
            product([seq_q, dim, key_lanes], q, &keys.lanes, |row, lane, scores| {
                let at = row * key_lanes + lane;
                for ((weight, score), bias) in
                    weights[at].iter_mut().zip(scores).zip(&bias[at])
                {
                    *weight = score + bias;
                }
            });
            for row in weights.chunks_exact_mut(key_lanes.max(1)) {
                softmax(row);
            }

            let w = kept_of(weights, kept, [place.index, seq_q, seq_k], &mut dropped);
            let w = |row: usize, at: usize| w[row * key_lanes * LANES + at];
            let mut out = Rows {
                numbers: &mut out,
                from: place.query,
                stride: columns,
                columns: dim,
            };
            let add = |row: usize, lane: usize, sums: &Lane| out.add(row, lane, sums);
            product([seq_q, seq_k, dim_lanes], w, &values.lanes, add);
        }
        (out, all)
    }

    /// The gradients with respect to query, key and value.
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
        let [mut q_grad, mut k_grad, mut v_grad] =
            [query, key, value].map(|x| vec![0.; x.len()]);
        let [mut queries, mut grads] = [(); 2].map(|()| Packed::new(seq_q, dim));
        let (mut keys, mut values) = (Packed::new(seq_k, dim), Packed::new(dim, seq_k));
        let (mut dropped, mut slopes) = (vec![], vec![[0.; LANES]; seq_q * key_lanes]);
        for place in self.places() {
            queries.fill(query, place.query, columns);
            grads.fill(grad, place.query, columns);
            keys.fill(key, place.key, key_columns);
            values.fill_transposed(value, place.key, key_columns);
            let weights = &all[place.index * seq_q * key_lanes..][..seq_q * key_lanes];

            // With respect to the weights, and from there to the scores.
            let g = |row: usize, at: usize| grad[place.query + row * columns + at];
            product([seq_q, dim, key_lanes], g, &values.lanes, |row, lane, sums| {
                slopes[row * key_lanes + lane] = *sums;
            });
            if let Some(kept) = kept {
                multiply(&mut slopes, kept, [place.index, seq_q, seq_k]);
            }
            let rows = slopes.chunks_exact_mut(key_lanes.max(1));
            for (slopes, weights) in rows.zip(weights.chunks_exact(key_lanes.max(1))) {
                softmax_backward(slopes, weights, scale);
            }

            let s = slopes.as_flattened();
            let s = |row: usize, at: usize| s[row * key_lanes * LANES + at];
            let w = kept_of(weights, kept, [place.index, seq_q, seq_k], &mut dropped);
            let w = |row: usize, at: usize| w[row * key_lanes * LANES + at];
            let rows =
                |numbers, from, stride| Rows { numbers, from, stride, columns: dim };
            let mut q_rows = rows(&mut q_grad, place.query, columns);
            let mut k_rows = rows(&mut k_grad, place.key, key_columns);
            let mut v_rows = rows(&mut v_grad, place.key, key_columns);
            let add =
                |row: usize, lane: usize, sums: &Lane| q_rows.add(row, lane, sums);
            product([seq_q, seq_k, dim_lanes], s, &keys.lanes, add);
            let add =
                |row: usize, lane: usize, sums: &Lane| k_rows.add(row, lane, sums);
            product(
                [seq_k, seq_q, dim_lanes],
                |row, at| s(at, row),
                &queries.lanes,
                add,
            );
            let add =
                |row: usize, lane: usize, sums: &Lane| v_rows.add(row, lane, sums);
            product([seq_k, seq_q, dim_lanes], |row, at| w(at, row), &grads.lanes, add);
        }
        [q_grad, k_grad, v_grad]
    }
}

/// The weights after dropout, number by number: `weights` themselves when there is none, otherwise made in `dropped`.
#[inline(always)]
fn kept_of<'a>(
    weights: &'a [Lane],
    kept: Option<&[f32]>,
    sizes: [usize; 3],
    dropped: &'a mut Vec<Lane>,
) -> &'a [f32] {
    let Some(kept) = kept else { return weights.as_flattened() };
    dropped.clear();
    dropped.extend_from_slice(weights);
    multiply(dropped, kept, sizes);
    dropped.as_flattened()
}
