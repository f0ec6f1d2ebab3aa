//! A layer from named weights, its inputs, and a call of it.

use crate::{
    harness::show::{inputs, remember},
    multi_head::MultiHeadSpec,
};
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::VarBuilder;
use std::collections::HashMap;

/// `forward` of a layer: query, key, value, mask, whether weights are wanted, whether it is training.
pub type Forward = dyn Fn(
    &Tensor,
    &Tensor,
    &Tensor,
    Option<&Tensor>,
    bool,
    bool,
) -> Result<(Tensor, Option<Tensor>)>;
/// `new` of a layer, which gives its `forward`.
pub type Build = dyn Fn(MultiHeadSpec, VarBuilder) -> Result<Box<Forward>>;

pub(super) type Params = HashMap<String, Tensor>;

pub(super) const PROJECTIONS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "out_proj"];

/// Seeded weights and biases for `spec`, f32, with entries of a size that keeps scores near 1.
pub(super) fn params(spec: MultiHeadSpec, seed: u64) -> Result<Params> {
    let kv_dim = spec.num_kv_heads * spec.head_dim();
    let outs = [spec.embed_dim, kv_dim, kv_dim, spec.embed_dim];
    let mut params = Params::new();
    for (at, (name, out)) in PROJECTIONS.into_iter().zip(outs).enumerate() {
        let seed = seed + 100 * at as u64;
        let weight = seeded::normal(seed, (out, spec.embed_dim))?;
        let weight = (weight / (spec.embed_dim as f64).sqrt())?;
        params.insert(format!("{name}.weight"), weight);
        if spec.bias {
            params.insert(format!("{name}.bias"), (seeded::normal(seed + 1, out)? * 0.5)?);
        }
    }
    Ok(params)
}

/// Projections that change nothing.
pub(super) fn identities(spec: MultiHeadSpec) -> Result<Params> {
    let eye = Tensor::eye(spec.embed_dim, DType::F32, &Device::Cpu)?;
    let named = PROJECTIONS.map(|name| (format!("{name}.weight"), eye.clone()));
    Ok(named.into())
}

pub(super) fn layer(build: &Build, spec: MultiHeadSpec, params: &Params) -> Result<Box<Forward>> {
    let dtype = params.values().next().map_or(DType::F32, Tensor::dtype);
    build(spec, VarBuilder::from_tensors(params.clone(), dtype, &Device::Cpu))
}

/// A call in evaluation: output and weights.
pub(super) fn attend(
    forward: &Forward,
    [query, key, value]: &[Tensor; 3],
    mask: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    match forward(query, key, value, mask, true, false)? {
        (output, Some(weights)) => Ok((output, weights)),
        (_, None) => bail!("no weights, although need_weights is true"),
    }
}

pub(super) fn given(
    spec: MultiHeadSpec,
    [query, key, value]: &[Tensor; 3],
    mask: Option<&Tensor>,
) -> String {
    let mut named = vec![("query", query), ("key", key), ("value", value)];
    named.extend(mask.map(|mask| ("attn_mask", mask)));
    remember(format!("{spec:?}\n{}", inputs(&named)))
}

/// Seeded inputs: query of `seq_q` tokens, key and value of `seq_k`.
pub(super) fn draw(
    seed: u64,
    batch: usize,
    seq_q: usize,
    seq_k: usize,
    dim: usize,
) -> Result<[Tensor; 3]> {
    crate::harness::cases::attention_inputs(seed, &[batch], [seq_q, seq_k, dim, dim])
}

/// One tensor as query, key and value.
pub(super) fn own(x: &Tensor) -> [Tensor; 3] {
    [x.clone(), x.clone(), x.clone()]
}

pub(super) fn causal(seq: usize) -> Result<Tensor> {
    Tensor::tril2(seq, DType::U8, &Device::Cpu)
}

pub(super) fn batch_of_one<const S: usize, const D: usize>(
    tokens: [[f32; D]; S],
) -> Result<Tensor> {
    Tensor::new(&[tokens], &Device::Cpu)
}

/// A layer whose output shows its weights: all queries and all keys are alike, and value j is 1 at numbers j and keys + j.
pub(super) fn dropout_case(queries: usize, keys: usize) -> Result<(MultiHeadSpec, [Tensor; 3])> {
    let spec = MultiHeadSpec::new(2 * keys, 1).without_bias().with_dropout(0.5);
    let eye = Tensor::eye(keys, DType::F32, &Device::Cpu)?;
    let value = Tensor::cat(&[&eye, &eye], 1)?.unsqueeze(0)?;
    let query = Tensor::ones((1, queries, 2 * keys), DType::F32, &Device::Cpu)?;
    let key = Tensor::ones((1, keys, 2 * keys), DType::F32, &Device::Cpu)?;
    Ok((spec, [query, key, value]))
}

pub(super) fn in_f64(params: Params) -> Result<Params> {
    params.into_iter().map(|(name, x)| Ok((name, x.to_dtype(DType::F64)?))).collect()
}
