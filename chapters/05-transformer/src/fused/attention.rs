//! Multi-head attention with everything between the projections in one operation.

use super::heads::{Heads, Sizes};
use super::{linear::linear, numbers::all_fast};
use crate::model::attention::Attention;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use multi_head::{MultiHeadConfig, solution::MultiHeadAttention};

/// Week 4's attention, with the same weights under the same names, faster in training.
pub struct FusedAttention {
    /// Does what the fast path does not: maps of weights, other types and devices, errors. Owns sizes and seeds.
    readable: MultiHeadAttention,
    query: Projection,
    key: Projection,
    value: Projection,
    out: Projection,
}

impl FusedAttention {
    /// As [`MultiHeadAttention::new`].
    pub fn new(config: &MultiHeadConfig, vb: VarBuilder) -> Result<Self> {
        let readable = MultiHeadAttention::new(config, vb.clone())?;
        let (embed_dim, kv_dim) = (config.embed_dim, config.kv_dim());
        let projection =
            |out, name| Projection::new(embed_dim, out, config.bias, vb.pp(name));
        Ok(Self {
            readable,
            query: projection(embed_dim, "q_proj")?,
            key: projection(kv_dim, "k_proj")?,
            value: projection(kv_dim, "v_proj")?,
            out: projection(embed_dim, "out_proj")?,
        })
    }

    /// The keep-mask of dropout, its numbers already 1 / (1 − rate): the same draws as the readable path's.
    fn kept(&self, sizes: &Sizes) -> Result<Option<Tensor>> {
        let (rate, seed) =
            (self.readable.config.dropout, self.readable.seeds.next_seed());
        if rate == 0. {
            return Ok(None);
        }
        let Sizes { batch, heads, seq_q, seq_k, .. } = *sizes;
        let keep = seeded::uniform(seed, (batch, heads, seq_q, seq_k))?.ge(rate)?;
        Ok(Some((keep.to_dtype(DType::F32)? / (1. - rate))?))
    }
}

impl Attention for FusedAttention {
    fn forward(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        attn_mask: Option<&Tensor>,
        need_weights: bool,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let config = &self.readable.config;
        config.inputs_fit(query, key, value, attn_mask)?;
        let mask_fits = attn_mask.is_none_or(|mask| {
            let kind = matches!(mask.dtype(), DType::U8 | DType::F32);
            kind && mask.device().is_cpu() && !mask.track_op()
        });
        let fast = all_fast(&[query, key, value, &self.query.weight]) && mask_fits;
        if need_weights || !fast {
            return self.readable.forward(
                query,
                key,
                value,
                attn_mask,
                need_weights,
                train,
            );
        }
        let ((batch, seq_q, _), (_, seq_k, _)) = (query.dims3()?, key.dims3()?);
        let (heads, kv_heads) = (config.num_heads, config.num_kv_heads);
        let sizes =
            Sizes { batch, seq_q, seq_k, heads, kv_heads, dim: config.head_dim() };
        let mask = attn_mask
            .map(|mask| mask.broadcast_as((batch, heads, seq_q, seq_k)))
            .transpose()?;
        let kept = if train { self.kept(&sizes)? } else { None };
        let (query, key, value) = (
            self.query.forward(query)?,
            self.key.forward(key)?,
            self.value.forward(value)?,
        );
        let gathered = query.apply_op3(&key, &value, Heads::new(sizes, mask, kept))?;
        Ok((self.out.forward(&gathered)?, None))
    }

    fn reseed(&self, seed: u64) {
        self.readable.seeds.restart(seed);
    }
}

/// A linear layer; without a bias it adds zeros.
struct Projection {
    weight: Tensor,
    bias: Tensor,
}

impl Projection {
    fn new(from: usize, to: usize, bias: bool, vb: VarBuilder) -> Result<Self> {
        let bias = match bias {
            true => vb.get_with_hints(to, "bias", Init::Const(0.))?,
            false => Tensor::zeros(to, DType::F32, &Device::Cpu)?,
        };
        Ok(Self { weight: vb.get((to, from), "weight")?, bias })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias, false)
    }
}
