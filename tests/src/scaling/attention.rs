//! What `scaled_dot_product_attention` must hold.

use super::pytorch;
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{HALF, attention_inputs, matrix, row},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show::inputs,
        why,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `scaled_dot_product_attention`: query, key, value to output and weights.
pub(crate) type Attention = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)>;

pub(super) fn zoo() -> Vec<Proof> {
    attention_laws().proofs()
}

/// Checks `softmax(QKᵀ/√d_k)V`, output and weights.
pub fn scaled_dot_product_attention(
    answer: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)> + 'static,
) -> Verdict {
    attention_laws().judge(&answer)
}

fn given(inputs_: &[Tensor; 3]) -> String {
    let [query, key, value] = inputs_;
    inputs(&[("query", query), ("key", key), ("value", value)])
}

fn attention_laws() -> Check<Attention> {
    Check::new(
        "scaling::scaled_dot_product_attention",
        wrong::scaling::scaled_dot_product_attention(),
    )
    .law(Weights, "the weights are softmax(q·k / √d_k): d_k = 4 divides the scores by 2", |f| {
        // q·k is 0 and 2 ln 3: divided by √4, the logits are 0 and ln 3.
        let score = 2. * 3f32.ln();
        let case = [
            matrix(&[[1., 0., 0., 0.]])?,
            matrix(&[[0., 1., 0., 0.], [score, 0., 0., 0.]])?,
            matrix(&[[0.], [8.]])?,
        ];
        let [query, key, value] = &case;
        let weights = f(query, key, value).map(|(_, weights)| weights);
        same(&given(&case), weights, &matrix(&[[0.25, 0.75]])?, rounding(8))
    })
    .law(Implementation, "the output is the values' average by weight", |f| {
        let case = [
            matrix(&[[1., 0., 0., 0.]])?,
            matrix(&[[0., 1., 0., 0.], [2. * 3f32.ln(), 0., 0., 0.]])?,
            matrix(&[[0., 4., 1.], [8., 0., 1.]])?,
        ];
        let [query, key, value] = &case;
        let output = f(query, key, value).map(|(output, _)| output);
        same(&given(&case), output, &matrix(&[[6., 1., 1.]])?, rounding(8))
    })
    .law(Weights, "each query's weights sum to 1", |f| {
        let case = attention_inputs(10, &[], [3, 2, 2, 2])?;
        let [query, key, value] = &case;
        let sums = f(query, key, value).and_then(|(_, weights)| weights.sum(D::Minus1));
        same(&given(&case), sums, &row(&[1., 1., 1.])?, rounding(4))
    })
    .law(
        Implementation,
        "equals PyTorch's over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
        |f| {
            let fixtures = pytorch()?;
            for name in ["matrix", "batch", "heads"] {
                let get = |part: &str| fixtures.get(&format!("attention.{name}.{part}"));
                let case = [get("query")?, get("key")?, get("value")?];
                let [query, key, value] = &case;
                let answer = value_of(&case, f(query, key, value))?;
                // A score sums d_k ≤ 16 products and a row at most 9 weighted values; scores of size 4 are off by 16 roundings at
                // most, the weights by twice that.
                same(&given(&case), Ok(answer.0), &get("output")?, rounding(32))?;
                same(&given(&case), Ok(answer.1), &get("weights")?, rounding(32))?;
            }
            Ok(())
        },
    )
    .property(
        Implementation,
        "the order of the keys does not matter as long as the values are in the same order",
        (1..4usize, 2..6usize, 1..5usize, 0..1000u64),
        |f, (seq_q, seq_k, dim, seed)| {
            let [query, key, value] = attention_inputs(seed, &[], [seq_q, seq_k, dim, 2])?;
            let backwards = Tensor::arange_step(seq_k as i64 - 1, -1, -1, &Device::Cpu)?;
            let turned = [
                query.clone(),
                key.index_select(&backwards, 0)?,
                value.index_select(&backwards, 0)?,
            ];
            let case = [query, key, value];
            let (expected, _) = value_of(&case, f(&case[0], &case[1], &case[2]))?;
            let output = f(&turned[0], &turned[1], &turned[2]).map(|(output, _)| output);
            same(&given(&turned), output, &expected, rounding(4 * (seq_k + dim)))
        },
    )
    .law(Weights, "d_k = 5 divides the scores by √5, which is not a whole number", |f| {
        // The logits are 0 and ln 3.
        let score = 5f32.sqrt() * 3f32.ln();
        let case = [
            matrix(&[[1., 0., 0., 0., 0.]])?,
            matrix(&[[0., 1., 0., 0., 0.], [score, 0., 0., 0., 0.]])?,
            matrix(&[[0.], [8.]])?,
        ];
        let weights = f(&case[0], &case[1], &case[2]).map(|(_, weights)| weights);
        same(&given(&case), weights, &matrix(&[[0.25, 0.75]])?, rounding(8))
    })
    .law(Weights, "scores of ±10000 leave everything finite", |f| {
        let keys = matrix(&[[100., 100.], [-100., -100.]])?;
        let case = [matrix(&[[100., 100.]])?, keys, matrix(&[[1.], [2.]])?];
        let (output, weights) = value_of(&case, f(&case[0], &case[1], &case[2]))?;
        // As in `softmax`: a score of this size is known to 20,000 · ε / 2 only.
        same(&given(&case), Ok(weights), &matrix(&[[1., 0.]])?, rounding(20_000))?;
        same(&given(&case), Ok(output), &matrix(&[[1.]])?, rounding(20_000))
    })
    .law(Weights, "large scores that differ by 1 keep their difference", |f| {
        // Logits 128 · 128 / 2 = 8192 and 8191, exact in f32.
        let keys = matrix(&[[128., 0., 0., 0.], [127.984_375, 0., 0., 0.]])?;
        let case = [matrix(&[[128., 0., 0., 0.]])?, keys, matrix(&[[1.], [0.]])?];
        let weights = f(&case[0], &case[1], &case[2]).map(|(_, weights)| weights);
        // Scaling queries and keys by d_k^¼ each, as PyTorch's plain path does, moves a logit by up to 3 roundings of its
        // size, and the weights by a quarter of what two logits are apart.
        let expected = matrix(&[[0.731_058_6, 0.268_941_42]])?;
        same(&given(&case), weights, &expected, rounding(2 * 8192))
    })
    .law(
        Implementation,
        "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
        |f| {
            let f64s = |rows: Vec<Vec<f64>>| Tensor::new(rows, &Device::Cpu);
            let case = |score: f64| -> Result<[Tensor; 3]> {
                let key = f64s(vec![vec![0.; 5], vec![score, 0., 0., 0., 0.]])?;
                Ok([f64s(vec![vec![1., 0., 0., 0., 0.]])?, key, f64s(vec![vec![0.], vec![4.]])?])
            };
            // Weights ½ ∓ 2.5e-13, which f32 cannot tell from ½; then ¼ and ¾, which a scale in f32 moves by 1e-8.
            for (logit, expected) in [(1e-12, 2. + 1e-12), (3f64.ln(), 3.)] {
                let case = case(5f64.sqrt() * logit)?;
                let output = f(&case[0], &case[1], &case[2]).map(|(output, _)| output);
                same(&given(&case), output, &f64s(vec![vec![expected]])?, rounding(8))?;
            }
            Ok(())
        },
    )
    .law(
        Gradients,
        "gradients of output and weights reach query, key and value, and are right",
        |f| {
            let [query, key, value] = attention_inputs(17, &[1], [2, 3, 4, 2])?;
            gradients_agree(&[("query", &query), ("key", &key), ("value", &value)], |inputs| {
                Ok(f(&inputs[0], &inputs[1], &inputs[2])?.0)
            })?;
            gradients_agree(&[("query", &query), ("key", &key)], |inputs| {
                Ok(f(&inputs[0], &inputs[1], &inputs[1])?.1)
            })
        },
    )
    .law(Edges(why::ONE), "one token attends to itself: the output is its value", |f| {
        let case = attention_inputs(11, &[1], [1, 1, 3, 2])?;
        let [query, key, value] = &case;
        same(&given(&case), f(query, key, value).map(|(output, _)| output), value, rounding(2))
    })
    .law(Edges(why::EMPTY), "no queries give no outputs", |f| {
        let case = attention_inputs(12, &[2], [0, 3, 4, 2])?;
        let output = f(&case[0], &case[1], &case[2]).map(|(output, _)| output);
        let empty = Tensor::zeros((2, 0, 2), DType::F32, &Device::Cpu)?;
        same(&given(&case), output, &empty, rounding(1))
    })
    .law(Edges(why::REFUSED), "no keys at all, or shapes that do not fit, are an error", |f| {
        let no_keys = attention_inputs(13, &[2], [3, 0, 4, 2])?;
        let [query, key, _] = attention_inputs(14, &[], [2, 3, 4, 2])?;
        let few_values = [query.clone(), key, seeded::normal(15, (2, 2))?];
        let long_keys = [query, seeded::normal(15, (3, 5))?, seeded::normal(15, (3, 2))?];
        // Large enough that shapes are shown, and no numbers.
        let other_batch = [(2, 3, 3, 4), (3, 2, 3, 4), (3, 2, 3, 4)]
            .map(|dims| Tensor::zeros(dims, DType::F32, &Device::Cpu));
        let [query, key, value] = other_batch;
        let other_batch = [query?, key?, value?];
        let zeros = |dims: (usize, usize, usize)| Tensor::zeros(dims, DType::F32, &Device::Cpu);
        let one_for_two = [zeros((1, 2, 4))?, zeros((2, 3, 4))?, zeros((2, 3, 2))?];
        for (case, why) in [
            (one_for_two, "a batch of 1 meets a batch of 2: nothing is broadcast"),
            (no_keys, "there is no key to attend to"),
            (few_values, "3 keys, but 2 values"),
            (long_keys, "queries of 4 numbers, keys of 5"),
            (other_batch, "queries for 2 batch elements of 3 heads, keys for 3 of 2"),
        ] {
            refused(&given(&case), why, f(&case[0], &case[1], &case[2]))?;
        }
        Ok(())
    })
    .law(Edges(why::HALF), "f16 and bf16 in, the same out", |f| {
        HALF.iter().try_for_each(|&half| {
            let case = [
                matrix(&[[1., 0., 0., 0.]])?.to_dtype(half)?,
                matrix(&[[0., 1., 0., 0.], [2. * 3f32.ln(), 0., 0., 0.]])?.to_dtype(half)?,
                matrix(&[[0., 4., 1.], [8., 0., 1.]])?.to_dtype(half)?,
            ];
            let output = f(&case[0], &case[1], &case[2]).map(|(output, _)| output);
            // The score is rounded, and so are its exponential, the sum and the quotient.
            same(&given(&case), output, &matrix(&[[6., 1., 1.]])?.to_dtype(half)?, rounding(8))
        })
    })
}

fn value_of(
    case: &[Tensor; 3],
    answer: Result<(Tensor, Tensor)>,
) -> std::result::Result<(Tensor, Tensor), Breach> {
    value(&given(case), answer)
}
