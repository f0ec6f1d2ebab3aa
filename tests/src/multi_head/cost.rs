//! What the formulas for parameters, operations and cache must hold.

use super::{MultiHeadSpec, Sizes};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation},
        Outcome,
        show::remember,
        why,
    },
    wrong,
};
use candle_core::DType;

/// `parameter_count`: sizes to a number.
pub type Parameters = dyn Fn(MultiHeadSpec) -> usize;
/// `attention_flops`: sizes, queries and keys to a number.
pub type Flops = dyn Fn(MultiHeadSpec, usize, usize) -> usize;
/// `kv_cache_bytes`: sizes, layers, batch, tokens and type to bytes.
pub type CacheBytes = dyn Fn(MultiHeadSpec, usize, usize, usize, DType) -> usize;

pub(super) fn zoo() -> Vec<Proof> {
    [parameter_laws().proofs(), flops_laws().proofs(), cache_laws().proofs()]
        .into_iter()
        .flatten()
        .collect()
}

fn equal(given: &str, got: usize, expected: usize) -> Outcome {
    if got == expected {
        return Ok(());
    }
    Err(Breach::text(given, &expected.to_string(), &got.to_string()))
}

/// Checks how many numbers a layer learns.
pub fn parameter_count<C: From<Sizes>>(answer: impl Fn(&C) -> usize + 'static) -> Verdict {
    parameter_laws().judge(&move |spec: MultiHeadSpec| answer(&spec.config()))
}

fn parameter_laws() -> Check<Parameters> {
    let law =
        |f: &Parameters, spec, expected| equal(&remember(format!("{spec:?}")), f(spec), expected);
    let small = MultiHeadSpec::new(8, 2);
    Check::new("multi_head::parameter_count", wrong::multi_head::parameter_count())
        .law(Implementation, "without biases: four matrices of 8 × 8", move |f| {
            law(f, small.without_bias(), 256)
        })
        .law(Implementation, "biases add 8 numbers each", move |f| law(f, small, 288))
        .law(Implementation, "more heads need no more parameters", move |f| {
            law(f, MultiHeadSpec::new(8, 4), 288)
        })
        .law(
            Implementation,
            "with 2 of 4 key-value heads the matrices of key and value are half as large",
            move |f| law(f, MultiHeadSpec::grouped(8, 4, 2), 64 + 8 + 2 * (32 + 4) + 64 + 8),
        )
        .law(Implementation, "GPT-2's attention, 768 numbers and 12 heads: 2 362 368", move |f| {
            law(f, MultiHeadSpec::new(768, 12), 2_362_368)
        })
}

/// Checks the operations of one forward pass.
pub fn attention_flops<C: From<Sizes>>(
    answer: impl Fn(&C, usize, usize) -> usize + 'static,
) -> Verdict {
    flops_laws().judge(&move |spec: MultiHeadSpec, seq_q: usize, seq_k: usize| {
        answer(&spec.config(), seq_q, seq_k)
    })
}

fn flops_laws() -> Check<Flops> {
    let law = |f: &Flops, spec, [seq_q, seq_k]: [usize; 2], expected| {
        let given = remember(format!("{spec:?}, seq_q: {seq_q}, seq_k: {seq_k}"));
        equal(&given, f(spec, seq_q, seq_k), expected)
    };
    let one = MultiHeadSpec::new(1, 1).without_bias();
    Check::new("multi_head::attention_flops", wrong::multi_head::attention_flops())
        .law(
            Implementation,
            "one token of two numbers: four projections of 4 multiplications, scores and average of 2",
            move |f| law(f, MultiHeadSpec::new(2, 1).without_bias(), [1, 1], 2 * (4 * 4 + 2 * 2)),
        )
        .law(
            Implementation,
            "two queries, three keys: query and output run over queries, key and value over keys",
            // Projections: 2 · (2 + 3 + 3 + 2); scores and average: 2 · 2 · 6.
            move |f| law(f, one, [2, 3], 20 + 24),
        )
        .law(
            Implementation,
            "a projection costs embed_dim² per token; scores and average cost embed_dim each per pair",
            move |f| {
                let spec = MultiHeadSpec::new(8, 2).without_bias();
                law(f, spec, [4, 4], 2 * (4 * 4 * 64) + 2 * (2 * 16 * 8))
            },
        )
        .law(Implementation, "the number of heads does not matter", move |f| {
            let spec = MultiHeadSpec::new(8, 4).without_bias();
            law(f, spec, [4, 4], 2 * (4 * 4 * 64) + 2 * (2 * 16 * 8))
        })
        .law(
            Implementation,
            "shared keys and values make their projections cheaper, and nothing else",
            move |f| {
                let spec = MultiHeadSpec::grouped(8, 4, 1).without_bias();
                law(f, spec, [4, 4], 2 * (4 * (64 + 16 + 16 + 64)) + 2 * (2 * 16 * 8))
            },
        )
        .law(
            Implementation,
            "with shared keys and values it matters which projections run over queries",
            move |f| {
                let spec = MultiHeadSpec::grouped(8, 4, 1).without_bias();
                // Query and output: 2 tokens, 8 × 8; key and value: 3 tokens, 8 × 2.
                law(f, spec, [2, 3], 2 * (2 * 2 * 64 + 2 * 3 * 16) + 2 * (2 * 6 * 8))
            },
        )
        .law(Implementation, "biases are left out", move |f| law(f, MultiHeadSpec::new(1, 1), [1, 1], 12))
        .law(Edges(why::EMPTY), "no query leaves the projections of the keys", move |f| law(f, one, [0, 3], 12))
}

/// Checks the bytes of a cache of keys and values.
pub fn kv_cache_bytes<C: From<Sizes>>(
    answer: impl Fn(&C, usize, usize, usize, DType) -> usize + 'static,
) -> Verdict {
    cache_laws().judge(&move |spec: MultiHeadSpec,
                              layers: usize,
                              batch: usize,
                              seq: usize,
                              dtype: DType| {
        answer(&spec.config(), layers, batch, seq, dtype)
    })
}

fn cache_laws() -> Check<CacheBytes> {
    let law = |f: &CacheBytes, spec, [layers, batch, seq]: [usize; 3], dtype, expected| {
        let given = remember(format!(
            "{spec:?}, layers: {layers}, batch: {batch}, seq: {seq}, dtype: {dtype:?}"
        ));
        equal(&given, f(spec, layers, batch, seq, dtype), expected)
    };
    Check::new("multi_head::kv_cache_bytes", wrong::multi_head::kv_cache_bytes())
        .law(
            Implementation,
            "one token, one layer: a key and a value of 12 numbers, 4 bytes each",
            move |f| law(f, MultiHeadSpec::new(12, 3), [1, 1, 1], DType::F32, 96),
        )
        .law(Implementation, "numbers of 2 bytes take half", move |f| {
            law(f, MultiHeadSpec::new(8, 2), [1, 1, 1], DType::BF16, 32)
        })
        .law(Implementation, "each layer, each sequence and each token has its own", move |f| {
            law(f, MultiHeadSpec::new(8, 2), [3, 5, 7], DType::F32, 64 * 3 * 5 * 7)
        })
        .law(Implementation, "only key-value heads are kept: 1 of 4 takes a quarter", move |f| {
            law(f, MultiHeadSpec::grouped(8, 4, 1), [1, 1, 1], DType::F32, 16)
        })
        .law(
            Implementation,
            "32 layers, 32 heads of 128, 8 of them kept, 32 768 tokens in bf16: 4 GiB",
            move |f| {
                let spec = MultiHeadSpec::grouped(4096, 32, 8);
                law(f, spec, [32, 1, 32_768], DType::BF16, 4 << 30)
            },
        )
}
