//! Week 2: what softmax, its relatives and `scaled_dot_product_attention` must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{attention_inputs, matrix, row},
        compare::{Breach, finite, refused, rounding, same, value},
        fixtures::Fixtures,
        gradient::gradients_agree,
        show::inputs,
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};
use std::f32::consts::LN_2;

/// `softmax`, `log_sum_exp`, `entropy`: one tensor to one tensor.
pub(crate) type Unary = dyn Fn(&Tensor) -> Result<Tensor>;
/// `dot_product_variance`, `softmax_backward`: two tensors to one.
pub(crate) type Binary = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;
/// `softmax_with_temperature`: logits and a temperature.
pub(crate) type WithTemperature = dyn Fn(&Tensor, f64) -> Result<Tensor>;
/// `scaled_dot_product_attention`: query, key, value to output and weights.
pub(crate) type Attention = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)>;

fn pytorch() -> Result<Fixtures> {
    Fixtures::read(include_bytes!("../fixtures/scaling.safetensors"))
}

/// The wrong answers of week 2, judged.
pub(crate) fn zoo() -> Vec<Proof> {
    [
        variance_laws().proofs(),
        log_sum_exp_laws().proofs(),
        softmax_laws().proofs(),
        temperature_laws().proofs(),
        entropy_laws().proofs(),
        backward_laws().proofs(),
        attention_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Checks the variance of dot products: `(draws, dim)`, `(draws, dim)` → scalar.
pub fn dot_product_variance(
    answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static,
) -> Verdict {
    variance_laws().judge(&answer)
}

fn variance_laws() -> Check<Binary> {
    let law = |f: &Binary, query: Tensor, key: Tensor, expected: f32| {
        let given = inputs(&[("query", &query), ("key", &key)]);
        // A sum over dim, one over draws, a square: well under 64 roundings for these sizes.
        same(
            &given,
            f(&query, &key),
            &Tensor::new(expected, &Device::Cpu)?,
            rounding(64),
        )
    };
    Check::new("scaling::dot_product_variance", wrong::scaling::dot_product_variance())
        .law(
            Implementation,
            "each row of `query` meets the same row of `key`, and the variance is taken over those dot products",
            move |f| {
                // Products 3 and 7: mean 5, variance 4.
                law(f, matrix(&[[1., 1.], [2., 1.]])?, matrix(&[[1., 2.], [3., 1.]])?, 4.)
            },
        )
        .law(
            Implementation,
            "the mean is subtracted, so equal dot products vary by 0",
            move |f| law(f, matrix(&[[2.], [2.], [2.]])?, matrix(&[[3.], [3.], [3.]])?, 0.),
        )
        .law(
            Implementation,
            "squared distances are averaged: their sum is divided by the number of draws",
            // Products 0, 0, 3: mean 1, squared distances 1, 1, 4.
            move |f| law(f, matrix(&[[0.], [0.], [1.]])?, matrix(&[[1.], [1.], [3.]])?, 2.),
        )
        .law(Implementation, "a thousand draws agree with the variance computed in f64", |f| {
            let (query, key) = (seeded::normal(1, (1000, 16))?, seeded::normal(2, (1000, 16))?);
            let products = (query.to_dtype(DType::F64)? * key.to_dtype(DType::F64)?)?.sum(1)?;
            let apart = products.broadcast_sub(&products.mean_all()?)?;
            let expected = apart.sqr()?.mean_all()?.to_dtype(DType::F32)?;
            let given = inputs(&[("query", &query), ("key", &key)]);
            same(&given, f(&query, &key), &expected, rounding(1000))
        })
        .law(Edges, "shapes that do not fit are an error", |f| {
            let (query, key) = (seeded::normal(1, (3, 4))?, seeded::normal(2, (3, 5))?);
            let given = inputs(&[("query", &query), ("key", &key)]);
            refused(&given, "4 and 5 numbers cannot be paired", f(&query, &key))
        })
}

/// Checks ln Σ exp over the last dimension: `(…, n)` → `(…, 1)`.
pub fn log_sum_exp(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    log_sum_exp_laws().judge(&answer)
}

fn log_sum_exp_laws() -> Check<Unary> {
    Check::new("scaling::log_sum_exp", wrong::scaling::log_sum_exp())
        .law(
            Implementation,
            "the logarithm of the sum of the exponentials",
            |f| {
                let logits = row(&[0., LN_2, 5f32.ln()])?; // ln(1 + 2 + 5)
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &row(&[8f32.ln()])?,
                    rounding(4),
                )
            },
        )
        .law(
            Implementation,
            "each row on its own; the last dimension is kept with length 1",
            |f| {
                let logits = matrix(&[[0., 0.], [LN_2, LN_2]])?;
                let expected = matrix(&[[LN_2], [2. * LN_2]])?;
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(4),
                )
            },
        )
        .law(
            Edges,
            "logits of ±1000 do not overflow: the largest one dominates",
            |f| {
                let logits = matrix(&[[1000., 0.], [-1000., -1000.]])?;
                let expected = matrix(&[[1000.], [-1000. + LN_2]])?;
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(2),
                )
            },
        )
        .property(
            Implementation,
            "adding c to every logit adds c to the result",
            (1..6usize, -30f32..30f32, 0..1000u64),
            |f, (n, shift, seed)| {
                let logits = seeded::normal(seed, (2, n))?;
                let moved = (&logits + f64::from(shift))?;
                let given = inputs(&[("logits", &logits), ("logits + c", &moved)]);
                let expected = (value(&given, f(&logits))? + f64::from(shift))?;
                // One rounding a moved logit, one an exponential, one a sum.
                same(&given, f(&moved), &expected, rounding(8))
            },
        )
        .law(
            Gradients,
            "the gradient reaches the logits and is right",
            |f| {
                let logits = seeded::normal(3, (2, 4))?;
                gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
            },
        )
}

/// Checks a softmax over the last dimension.
pub fn softmax(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    softmax_laws().judge(&answer)
}

fn softmax_laws() -> Check<Unary> {
    Check::new("scaling::softmax", wrong::scaling::softmax())
        .law(
            Implementation,
            "weights are proportional to the exponentials of the logits",
            |f| {
                let logits = row(&[0., LN_2, 5f32.ln()])?; // exponentials 1, 2, 5
                let expected = row(&[0.125, 0.25, 0.625])?;
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(4),
                )
            },
        )
        .law(
            Implementation,
            "each row is normalised on its own, along the last dimension",
            |f| {
                let logits = matrix(&[[0., 0.], [0., 3f32.ln()]])?;
                let expected = matrix(&[[0.5, 0.5], [0.25, 0.75]])?;
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(4),
                )
            },
        )
        .law(
            Edges,
            "large logits stay finite: ±10000 overflow exp() unless the maximum goes first",
            |f| {
                let logits = matrix(&[[10_000., 0.], [-10_000., -10_000.]])?;
                let expected = matrix(&[[1., 0.], [0.5, 0.5]])?;
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(2),
                )
            },
        )
        .property(
            Weights,
            "each row sums to 1",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let logits = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = inputs(&[("logits", &logits)]);
                let sums = f(&logits).and_then(|weights| weights.sum(D::Minus1));
                same(
                    &format!("{given}\nlooked at: the sum of each row"),
                    sums,
                    &Tensor::ones(rows, DType::F32, &Device::Cpu)?,
                    rounding(n + 1),
                )
            },
        )
        .property(
            Weights,
            "adding the same number to every logit of a row changes nothing",
            (2..6usize, -30f32..30f32, 0..1000u64),
            |f, (n, shift, seed)| {
                let logits = seeded::normal(seed, (1, n))?;
                let moved = (&logits + f64::from(shift))?;
                let given = inputs(&[("logits", &logits), ("logits + c", &moved)]);
                let unmoved = value(&given, f(&logits))?;
                // A moved logit of size 32 is rounded to 32 · ε / 2, and so is its exponential.
                same(&given, f(&moved), &unmoved, rounding(40))
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (batch, heads, seq_q, seq_k)",
            |f| {
                let fixtures = pytorch()?;
                let (logits, expected) = (
                    fixtures.get("softmax.logits")?,
                    fixtures.get("softmax.weights")?,
                );
                same(
                    &inputs(&[("logits", &logits)]),
                    f(&logits),
                    &expected,
                    rounding(12),
                )
            },
        )
        .law(
            Edges,
            "a single logit gets the whole weight; no rows give no rows",
            |f| {
                let one = matrix(&[[-3.], [7.]])?;
                same(
                    &inputs(&[("logits", &one)]),
                    f(&one),
                    &matrix(&[[1.], [1.]])?,
                    rounding(1),
                )?;
                let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?;
                same(&inputs(&[("logits", &none)]), f(&none), &none, rounding(1))
            },
        )
        .law(
            Gradients,
            "the gradient reaches the logits and is right",
            |f| {
                let logits = seeded::normal(4, (2, 4))?;
                gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
            },
        )
}

/// Checks a softmax with a temperature.
pub fn softmax_with_temperature(
    answer: impl Fn(&Tensor, f64) -> Result<Tensor> + 'static,
) -> Verdict {
    temperature_laws().judge(&answer)
}

fn temperature_laws() -> Check<WithTemperature> {
    let law = |f: &WithTemperature, temperature: f64, expected: [f32; 2], units| {
        let logits = row(&[0., 4f32.ln()])?;
        let given = format!(
            "{}\ntemperature: {temperature}",
            inputs(&[("logits", &logits)])
        );
        same(
            &given,
            f(&logits, temperature),
            &row(&expected)?,
            rounding(units),
        )
    };
    Check::new(
        "scaling::softmax_with_temperature",
        wrong::scaling::softmax_with_temperature(),
    )
    .law(
        Implementation,
        "temperature 1 is the plain softmax",
        move |f| law(f, 1., [0.2, 0.8], 4),
    )
    .law(
        Implementation,
        "a higher temperature flattens: logits are divided by it",
        move |f| {
            law(f, 2., [1. / 3., 2. / 3.], 4) // ln 4 / 2 = ln 2
        },
    )
    .law(Implementation, "a lower temperature sharpens", move |f| {
        law(f, 0.5, [1. / 17., 16. / 17.], 8) // 2 ln 4 = ln 16
    })
    .law(
        Edges,
        "a tiny temperature still does not overflow",
        move |f| law(f, 1e-4, [0., 1.], 1),
    )
    .law(
        Edges,
        "a temperature that is not a positive, finite number is an error",
        |f| {
            let logits = row(&[0., 1.])?;
            for temperature in [0., -1., f64::NAN, f64::INFINITY] {
                let given = format!("temperature: {temperature}");
                refused(
                    &given,
                    "temperature must be positive and finite",
                    f(&logits, temperature),
                )?;
            }
            Ok(())
        },
    )
    .law(
        Gradients,
        "the gradient reaches the logits and is right",
        |f| {
            let logits = seeded::normal(5, (2, 3))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0], 0.7))
        },
    )
}

/// Checks the entropy of weights in nats: `(…, n)` → `(…)`.
pub fn entropy(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    entropy_laws().judge(&answer)
}

fn entropy_laws() -> Check<Unary> {
    Check::new("scaling::entropy", wrong::scaling::entropy())
        .law(
            Implementation,
            "two equal weights have an entropy of ln 2 = 0.6931",
            |f| {
                let weights = matrix(&[[0.5, 0.5]])?;
                same(
                    &inputs(&[("weights", &weights)]),
                    f(&weights),
                    &row(&[LN_2])?,
                    rounding(2),
                )
            },
        )
        .law(
            Implementation,
            "each row on its own, summed over the last dimension",
            |f| {
                let weights = matrix(&[[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.125, 0.125]])?;
                let expected = row(&[2. * LN_2, 1.75 * LN_2])?;
                same(
                    &inputs(&[("weights", &weights)]),
                    f(&weights),
                    &expected,
                    rounding(8),
                )
            },
        )
        .law(
            Edges,
            "a weight of 0 adds nothing: 0 · ln 0 counts as 0, not NaN",
            |f| {
                let weights = matrix(&[[1., 0., 0.], [0., 0.5, 0.5]])?;
                same(
                    &inputs(&[("weights", &weights)]),
                    f(&weights),
                    &row(&[0., LN_2])?,
                    rounding(2),
                )
            },
        )
        .property(
            Weights,
            "n equal weights have an entropy of ln n",
            1..40usize,
            |f, n| {
                let weights = (Tensor::ones((1, n), DType::F32, &Device::Cpu)? / n as f64)?;
                let expected = row(&[(n as f32).ln()])?;
                same(
                    &inputs(&[("weights", &weights)]),
                    f(&weights),
                    &expected,
                    rounding(n + 4),
                )
            },
        )
        .law(
            Gradients,
            "the gradient reaches the weights and is right",
            |f| {
                let weights = matrix(&[[0.2, 0.3, 0.5]])?;
                gradients_agree(&[("weights", &weights)], |inputs| f(&inputs[0]))
            },
        )
}

/// Checks the backward pass of softmax: weights, gradient by the weights → gradient by the logits.
pub fn softmax_backward(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    backward_laws().judge(&answer)
}

fn backward_laws() -> Check<Binary> {
    Check::new(
        "scaling::softmax_backward",
        wrong::scaling::softmax_backward(),
    )
    .law(
        Implementation,
        "w ∘ (g − Σ w g): the row's weighted mean gradient is subtracted first",
        |f| {
            let (weights, grad) = (row(&[0.25, 0.75])?, row(&[1., 0.])?); // mean 0.25
            let given = inputs(&[("weights", &weights), ("grad", &grad)]);
            same(
                &given,
                f(&weights, &grad),
                &row(&[0.1875, -0.1875])?,
                rounding(4),
            )
        },
    )
    .law(Implementation, "each row has a mean of its own", |f| {
        let weights = matrix(&[[0.5, 0.5], [0.25, 0.75]])?;
        let grad = matrix(&[[1., 0.], [0., 2.]])?; // means 0.5 and 1.5
        let expected = matrix(&[[0.25, -0.25], [-0.375, 0.375]])?;
        let given = inputs(&[("weights", &weights), ("grad", &grad)]);
        same(&given, f(&weights, &grad), &expected, rounding(4))
    })
    .law(
        Weights,
        "a gradient that is the same for all weights moves no logit",
        |f| {
            let (weights, grad) = (row(&[0.1, 0.2, 0.7])?, row(&[5., 5., 5.])?);
            let given = inputs(&[("weights", &weights), ("grad", &grad)]);
            same(
                &given,
                f(&weights, &grad),
                &row(&[0., 0., 0.])?,
                rounding(16),
            )
        },
    )
    .law(
        Gradients,
        "equals PyTorch's gradient over (batch, heads, seq_q, seq_k)",
        |f| {
            let fixtures = pytorch()?;
            let (weights, grad) = (
                fixtures.get("softmax.weights")?,
                fixtures.get("softmax.grad")?,
            );
            let given = inputs(&[("weights", &weights), ("grad", &grad)]);
            same(
                &given,
                f(&weights, &grad),
                &fixtures.get("softmax.logits_grad")?,
                rounding(16),
            )
        },
    )
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
    .law(
        Weights,
        "the weights are softmax(q·k / √d_k): d_k = 4 divides the scores by 2",
        |f| {
            // q·k is 0 and 4 ln 3 / 2 · … : with √4 the logits are 0 and ln 3.
            let score = 2. * 3f32.ln();
            let case = [
                matrix(&[[1., 0., 0., 0.]])?,
                matrix(&[[0., 1., 0., 0.], [score, 0., 0., 0.]])?,
                matrix(&[[0.], [8.]])?,
            ];
            let [query, key, value] = &case;
            let weights = f(query, key, value).map(|(_, weights)| weights);
            same(
                &given(&case),
                weights,
                &matrix(&[[0.25, 0.75]])?,
                rounding(8),
            )
        },
    )
    .law(
        Implementation,
        "the output is the values' average by weight",
        |f| {
            let case = [
                matrix(&[[1., 0., 0., 0.]])?,
                matrix(&[[0., 1., 0., 0.], [2. * 3f32.ln(), 0., 0., 0.]])?,
                matrix(&[[0., 4., 1.], [8., 0., 1.]])?,
            ];
            let [query, key, value] = &case;
            let output = f(query, key, value).map(|(output, _)| output);
            same(
                &given(&case),
                output,
                &matrix(&[[6., 1., 1.]])?,
                rounding(8),
            )
        },
    )
    .law(Weights, "each query's weights sum to 1", |f| {
        let case = attention_inputs(10, &[], [3, 2, 2, 2])?;
        let [query, key, value] = &case;
        let sums = f(query, key, value).and_then(|(_, weights)| weights.sum(D::Minus1));
        same(&given(&case), sums, &row(&[1., 1., 1.])?, rounding(4))
    })
    .law(
        Implementation,
        "equals PyTorch's for 2, 3 and 4 dimensions and other lengths for keys",
        |f| {
            let fixtures = pytorch()?;
            for name in ["matrix", "batch", "heads"] {
                let get = |part: &str| fixtures.get(&format!("attention.{name}.{part}"));
                let case = [get("query")?, get("key")?, get("value")?];
                let [query, key, value] = &case;
                let answer = value_of(&case, f(query, key, value))?;
                // head_dim ≤ 16 products a score, at most 9 keys a row: 32 roundings of values of size ≤ 4.
                same(&given(&case), Ok(answer.0), &get("output")?, rounding(32))?;
                same(&given(&case), Ok(answer.1), &get("weights")?, rounding(32))?;
            }
            Ok(())
        },
    )
    .property(
        Implementation,
        "the order of keys and values does not matter as long as it is the same",
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
            same(
                &given(&turned),
                output,
                &expected,
                rounding(4 * (seq_k + dim)),
            )
        },
    )
    .law(Edges, "scores of ±10000 leave everything finite", |f| {
        let case = [
            matrix(&[[100., 100.]])?,
            matrix(&[[100., 100.], [-100., -100.]])?,
            matrix(&[[1.], [2.]])?,
        ];
        let [query, key, value] = &case;
        finite(
            &given(&case),
            f(query, key, value).map(|(output, _)| output),
        )
    })
    .law(
        Edges,
        "one token attends to itself: the output is its value",
        |f| {
            let case = attention_inputs(11, &[1], [1, 1, 3, 2])?;
            let [query, key, value] = &case;
            same(
                &given(&case),
                f(query, key, value).map(|(output, _)| output),
                value,
                rounding(2),
            )
        },
    )
    .law(
        Edges,
        "no queries give no outputs; no keys, or dimensions that do not fit, are an error",
        |f| {
            let none = attention_inputs(12, &[2], [0, 3, 4, 2])?;
            let [query, key, value] = &none;
            let empty = Tensor::zeros((2, 0, 2), DType::F32, &Device::Cpu)?;
            same(
                &given(&none),
                f(query, key, value).map(|(output, _)| output),
                &empty,
                rounding(1),
            )?;
            let no_keys = attention_inputs(13, &[2], [3, 0, 4, 2])?;
            let [query, key, value] = &no_keys;
            refused(
                &given(&no_keys),
                "there is no key to attend to",
                f(query, key, value),
            )?;
            let [query, key, _] = attention_inputs(14, &[], [2, 3, 4, 2])?;
            let short = seeded::normal(15, (2, 2))?;
            let unfit = [query, key, short];
            refused(
                &given(&unfit),
                "3 keys, but 2 values",
                f(&unfit[0], &unfit[1], &unfit[2]),
            )
        },
    )
    .law(Edges, "f64 in, f64 out, to f64's precision", |f| {
        let case = attention_inputs(16, &[], [2, 3, 4, 2])?;
        let [query, key, value] = case.each_ref().map(|tensor| tensor.to_dtype(DType::F64));
        let case = [query?, key?, value?];
        let (output, weights) = value_of(&case, f(&case[0], &case[1], &case[2]))?;
        let sums = weights.sum(D::Minus1);
        same(
            &given(&case),
            sums,
            &Tensor::ones(2, DType::F64, &Device::Cpu)?,
            rounding(8),
        )?;
        finite(&given(&case), Ok(output))
    })
    .law(
        Gradients,
        "gradients reach query, key and value, and are right",
        |f| {
            let [query, key, value] = attention_inputs(17, &[1], [2, 3, 4, 2])?;
            gradients_agree(
                &[("query", &query), ("key", &key), ("value", &value)],
                |inputs| Ok(f(&inputs[0], &inputs[1], &inputs[2])?.0),
            )
        },
    )
}

fn value_of(
    case: &[Tensor; 3],
    answer: Result<(Tensor, Tensor)>,
) -> std::result::Result<(Tensor, Tensor), Breach> {
    value(&given(case), answer)
}
