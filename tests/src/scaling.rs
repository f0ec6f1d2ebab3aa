//! Week 2: what softmax, its relatives and `scaled_dot_product_attention` must hold.

use crate::{
    Proof, Verdict,
    harness::{
        Check,
        Group::{Edges, Gradients, Implementation, Weights},
        cases::{attention_inputs, matrix, row},
        compare::{Breach, Outcome, Rounding, finite, refused, rounding, same, value},
        fixtures::Fixtures,
        gradient::gradients_agree,
        show::{inputs, remember},
    },
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor, Var};
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

/// The law that a function of one tensor gives `expected`.
fn gives(f: &Unary, name: &str, input: Tensor, expected: Tensor, rounding: Rounding) -> Outcome {
    same(&inputs(&[(name, &input)]), f(&input), &expected, rounding)
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
        // A few roundings of a distance from the mean; the mean's own size does not count.
        same(&given, f(&query, &key), &Tensor::new(expected, &Device::Cpu)?, rounding(8))
    };
    Check::new("scaling::dot_product_variance", wrong::scaling::dot_product_variance())
        .law(
            Implementation,
            "each row of `query` meets the same row of `key`, and the variance is taken over those dot products",
            move |f| {
                // Products 1, 2 and 6: mean 3, squared distances 4, 1 and 9.
                let query = matrix(&[[1., 0.], [1., 1.], [2., 2.]])?;
                law(f, query, matrix(&[[1., 5.], [1., 1.], [2., 1.]])?, 14. / 3.)
            },
        )
        .law(Implementation, "the mean is subtracted, so equal dot products vary by 0", move |f| {
            law(f, matrix(&[[2.], [2.], [2.]])?, matrix(&[[3.], [3.], [3.]])?, 0.)
        })
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
            // At most one rounding a summand, however the sum over the draws is grouped.
            same(&given, f(&query, &key), &expected, rounding(1000))
        })
        .law(
            Edges,
            "a large mean does no harm: distances are squared, not products (5000 and neighbours vary by 2/3)",
            move |f| {
                law(f, matrix(&[[4999.], [5000.], [5001.]])?, matrix(&[[1.], [1.], [1.]])?, 2. / 3.)
            },
        )
        .law(Edges, "shapes that do not fit are an error", |f| {
            for (query, key) in [((3, 4), (3, 5)), ((3, 4), (1, 4))] {
                let (query, key) = (seeded::normal(1, query)?, seeded::normal(2, key)?);
                let given = inputs(&[("query", &query), ("key", &key)]);
                refused(&given, "these rows cannot be paired", f(&query, &key))?;
            }
            Ok(())
        })
}

/// Checks ln Σ exp over the last dimension: `(…, n)` → `(…, 1)`.
pub fn log_sum_exp(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    log_sum_exp_laws().judge(&answer)
}

fn log_sum_exp_laws() -> Check<Unary> {
    Check::new("scaling::log_sum_exp", wrong::scaling::log_sum_exp())
        .law(Implementation, "the logarithm of the sum of the exponentials", |f| {
            let logits = row(&[0., LN_2, 5f32.ln()])?; // ln(1 + 2 + 5)
            gives(f, "logits", logits, row(&[8f32.ln()])?, rounding(4))
        })
        .law(Implementation, "each row on its own; the last dimension is kept with length 1", |f| {
            let logits = matrix(&[[0., 0.], [LN_2, LN_2], [0., 3f32.ln()]])?;
            gives(f, "logits", logits, matrix(&[[LN_2], [2. * LN_2], [2. * LN_2]])?, rounding(4))
        })
        .law(Edges, "large logits do not overflow: the largest one dominates", |f| {
            gives(f, "logits", matrix(&[[1000., 0.]])?, matrix(&[[1000.]])?, rounding(2))
        })
        .law(Edges, "very negative logits do not underflow to ln 0", |f| {
            let expected = matrix(&[[-1000. + LN_2]])?;
            gives(f, "logits", matrix(&[[-1000., -1000.]])?, expected, rounding(2))
        })
        .law(Edges, "rows of very different size do not disturb each other", |f| {
            let logits = matrix(&[[1000., 0.], [-1000., -1000.]])?;
            gives(f, "logits", logits, matrix(&[[1000.], [-1000. + LN_2]])?, rounding(2))
        })
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
        .law(Implementation, "equals PyTorch's logsumexp over (batch, heads, seq_q, seq_k)", |f| {
            let fixtures = pytorch()?;
            let expected = fixtures.get("softmax.log_sum_exp")?;
            // A sum of 5 exponentials and a logarithm.
            gives(f, "logits", fixtures.get("softmax.logits")?, expected, rounding(8))
        })
        .law(Edges, "rows without logits are an error", |f| {
            let none = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
            refused(&inputs(&[("logits", &none)]), "an empty row has no maximum", f(&none))
        })
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(3, (2, 4))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
        })
}

/// Checks a softmax over the last dimension.
pub fn softmax(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    softmax_laws().judge(&answer)
}

fn softmax_laws() -> Check<Unary> {
    Check::new("scaling::softmax", wrong::scaling::softmax())
        .law(Implementation, "weights are proportional to the exponentials of the logits", |f| {
            let logits = row(&[0., LN_2, 5f32.ln()])?; // exponentials 1, 2, 5
            gives(f, "logits", logits, row(&[0.125, 0.25, 0.625])?, rounding(4))
        })
        .law(Implementation, "each row is normalised on its own, along the last dimension", |f| {
            let logits = matrix(&[[0., 0., LN_2], [0., 3f32.ln(), 0.]])?;
            gives(f, "logits", logits, matrix(&[[0.25, 0.25, 0.5], [0.2, 0.6, 0.2]])?, rounding(4))
        })
        .law(
            Edges,
            "large logits stay finite: ±10000 overflow exp() unless the maximum goes first",
            |f| {
                let logits = matrix(&[[10_000., 0.], [-10_000., -10_000.]])?;
                gives(f, "logits", logits, matrix(&[[1., 0.], [0.5, 0.5]])?, rounding(2))
            },
        )
        .law(Edges, "large logits that differ by 1 keep their difference", |f| {
            let expected = row(&[0.731_058_6, 0.268_941_42])?; // 1 / (1 + e⁻¹)
            gives(f, "logits", row(&[10_000., 9_999.])?, expected, rounding(4))
        })
        .property(
            Weights,
            "each row sums to 1",
            (1..4usize, 1..9usize, 0..1000u64),
            |f, (rows, n, seed)| {
                let logits = (seeded::normal(seed, (rows, n))? * 3.)?;
                let given = inputs(&[("logits", &logits)]);
                let sums = f(&logits).and_then(|weights| weights.sum(D::Minus1));
                let ones = Tensor::ones(rows, DType::F32, &Device::Cpu)?;
                same(&format!("{given}\nlooked at: each row's sum"), sums, &ones, rounding(n + 1))
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
        .law(Implementation, "equals PyTorch's over (batch, heads, seq_q, seq_k)", |f| {
            let fixtures = pytorch()?;
            let expected = fixtures.get("softmax.weights")?;
            // Differences of logits of size 8 are off by 8 · ε / 2 on either side, a sum of 5 by 5.
            gives(f, "logits", fixtures.get("softmax.logits")?, expected, rounding(13))
        })
        .law(Edges, "a single logit gets the whole weight", |f| {
            gives(f, "logits", matrix(&[[-3.], [7.]])?, matrix(&[[1.], [1.]])?, rounding(1))
        })
        .law(Edges, "no rows give no rows: (0, 3) in, (0, 3) out", |f| {
            let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?;
            gives(f, "logits", none.clone(), none, rounding(1))
        })
        .law(Edges, "rows without logits are an error", |f| {
            let none = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
            refused(&inputs(&[("logits", &none)]), "an empty row has no softmax", f(&none))
        })
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(4, (2, 4))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0]))
        })
}

/// Checks a softmax with a temperature.
pub fn softmax_with_temperature(
    answer: impl Fn(&Tensor, f64) -> Result<Tensor> + 'static,
) -> Verdict {
    temperature_laws().judge(&answer)
}

fn temperature_laws() -> Check<WithTemperature> {
    let law = |f: &WithTemperature, temperature: f64, expected: [f32; 2]| {
        let logits = row(&[0., 4f32.ln()])?;
        let given =
            remember(format!("{}\ntemperature: {temperature}", inputs(&[("logits", &logits)])));
        // The exponent 2 ln 4 is off by up to 3 roundings, the weights by as many and their own.
        same(&given, f(&logits, temperature), &row(&expected)?, rounding(6))
    };
    Check::new("scaling::softmax_with_temperature", wrong::scaling::softmax_with_temperature())
        .law(Implementation, "temperature 1 is the plain softmax", move |f| law(f, 1., [0.2, 0.8]))
        .law(Implementation, "a higher temperature flattens: logits are divided by it", move |f| {
            law(f, 2., [1. / 3., 2. / 3.]) // ln 4 / 2 = ln 2
        })
        .law(Implementation, "a lower temperature sharpens", move |f| {
            law(f, 0.5, [1. / 17., 16. / 17.]) // 2 ln 4 = ln 16
        })
        .law(Implementation, "each row is normalised on its own", |f| {
            let logits = matrix(&[[0., 4f32.ln()], [0., 0.], [16f32.ln(), 0.]])?;
            let expected = matrix(&[[1. / 3., 2. / 3.], [0.5, 0.5], [0.8, 0.2]])?;
            let given = remember(format!("{}\ntemperature: 2", inputs(&[("logits", &logits)])));
            same(&given, f(&logits, 2.), &expected, rounding(6))
        })
        .law(Edges, "a temperature of 0.0001 does not overflow", move |f| law(f, 1e-4, [0., 1.]))
        .law(Edges, "a temperature that is not a positive, finite number is an error", |f| {
            let logits = row(&[0., 1.])?;
            for temperature in [0., -1., f64::NAN, f64::INFINITY] {
                let given = remember(format!("temperature: {temperature}"));
                refused(
                    &given,
                    "temperature must be positive and finite",
                    f(&logits, temperature),
                )?;
            }
            Ok(())
        })
        .law(Gradients, "the gradient reaches the logits and is right", |f| {
            let logits = seeded::normal(5, (2, 3))?;
            gradients_agree(&[("logits", &logits)], |inputs| f(&inputs[0], 0.7))
        })
}

/// Checks the entropy of weights in nats: `(…, n)` → `(…)`.
pub fn entropy(answer: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Verdict {
    entropy_laws().judge(&answer)
}

fn entropy_laws() -> Check<Unary> {
    Check::new("scaling::entropy", wrong::scaling::entropy())
        .law(Implementation, "two equal weights have an entropy of ln 2 = 0.6931", |f| {
            gives(f, "weights", matrix(&[[0.5, 0.5]])?, row(&[LN_2])?, rounding(2))
        })
        .law(Implementation, "each row on its own, summed over the last dimension", |f| {
            let weights = matrix(&[[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.125, 0.125]])?;
            gives(f, "weights", weights, row(&[2. * LN_2, 1.75 * LN_2])?, rounding(8))
        })
        .law(Edges, "a weight of 0 adds nothing: 0 · ln 0 counts as 0, not NaN", |f| {
            let weights = matrix(&[[1., 0., 0.], [0., 0.5, 0.5]])?;
            gives(f, "weights", weights, row(&[0., LN_2])?, rounding(2))
        })
        .law(Edges, "a small weight counts in full: (1 − 2⁻²⁰, 2⁻²⁰)", |f| {
            let small = 2f64.powi(-20);
            let weights = Tensor::new(&[1. - small, small], &Device::Cpu)?;
            let expected = -(1. - small) * (1. - small).ln() - small * small.ln();
            gives(f, "weights", weights, Tensor::new(expected, &Device::Cpu)?, rounding(8))
        })
        .law(
            Edges,
            "any number of leading dimensions: (n) gives a scalar, (a, b, n) gives (a, b)",
            |f| {
                let flat = row(&[0.5, 0.5])?;
                gives(f, "weights", flat.clone(), Tensor::new(LN_2, &Device::Cpu)?, rounding(2))?;
                let expected = Tensor::full(LN_2, (2, 1), &Device::Cpu)?;
                let weights = flat.broadcast_as((2, 1, 2))?.contiguous()?;
                gives(f, "weights", weights, expected, rounding(2))
            },
        )
        .property(Weights, "n equal weights have an entropy of ln n", 1..40usize, |f, n| {
            let weights = (Tensor::ones((1, n), DType::F32, &Device::Cpu)? / n as f64)?;
            gives(f, "weights", weights, row(&[(n as f32).ln()])?, rounding(n + 4))
        })
        .law(Gradients, "the gradient reaches the weights and is right", |f| {
            let weights = matrix(&[[0.2, 0.3, 0.5]])?;
            gradients_agree(&[("weights", &weights)], |inputs| f(&inputs[0]))
        })
        .law(Gradients, "the gradient is finite at a weight of 0, too", |f| {
            let weights = Var::from_tensor(&matrix(&[[0., 0.5, 0.5]])?)?;
            let given = inputs(&[("weights", &weights)]);
            let sum = value(&given, f(&weights))?.sum_all()?;
            match sum.backward()?.get(&weights) {
                Some(grad) => finite(&given, Ok(grad.clone())),
                None => Err(Breach::text(&given, "a gradient for `weights`", "none")),
            }
        })
}

/// Checks the backward pass of softmax: weights, gradient by the weights → gradient by the logits.
pub fn softmax_backward(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    backward_laws().judge(&answer)
}

fn backward_laws() -> Check<Binary> {
    let law = |f: &Binary, weights: Tensor, grad: Tensor, expected: Tensor, rounding| {
        let given = inputs(&[("weights", &weights), ("grad", &grad)]);
        same(&given, f(&weights, &grad), &expected, rounding)
    };
    Check::new("scaling::softmax_backward", wrong::scaling::softmax_backward())
        .law(
            Implementation,
            "w ∘ (g − Σ w g): the row's weighted mean gradient is subtracted first",
            move |f| {
                // The weighted mean is 0.25.
                let expected = row(&[0.1875, -0.1875])?;
                law(f, row(&[0.25, 0.75])?, row(&[1., 0.])?, expected, rounding(4))
            },
        )
        .law(Implementation, "each row has a mean of its own", move |f| {
            // Weighted means 0.75 and 1.5.
            let weights = matrix(&[[0.5, 0.25, 0.25], [0.25, 0.75, 0.]])?;
            let grad = matrix(&[[1., 0., 1.], [0., 2., 4.]])?;
            let expected = matrix(&[[0.125, -0.1875, 0.0625], [-0.375, 0.375, 0.]])?;
            law(f, weights, grad, expected, rounding(4))
        })
        .law(Weights, "a gradient that is the same for all weights moves no logit", move |f| {
            // The weights sum to 1 ± 2 roundings; times a gradient of 5, with three roundings of products of size 5.
            let expected = row(&[0., 0., 0.])?;
            law(f, row(&[0.1, 0.2, 0.7])?, row(&[5., 5., 5.])?, expected, rounding(25))
        })
        .law(Gradients, "equals PyTorch's gradient over (batch, heads, seq_q, seq_k)", move |f| {
            let fixtures = pytorch()?;
            let [weights, grad, expected] = ["weights", "grad", "logits_grad"]
                .map(|part| fixtures.get(&format!("softmax.{part}")));
            // Σ w g has 5 products of size 3, each with two roundings; the rest is three operations.
            law(f, weights?, grad?, expected?, rounding(33))
        })
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
        // q·k is 0 and 4 ln 3 / 2 · … : with √4 the logits are 0 and ln 3.
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
        "equals PyTorch's for 2, 3 and 4 dimensions and other lengths for keys",
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
            same(&given(&turned), output, &expected, rounding(4 * (seq_k + dim)))
        },
    )
    .law(Edges, "scores of ±10000 leave everything finite", |f| {
        let keys = matrix(&[[100., 100.], [-100., -100.]])?;
        let case = [matrix(&[[100., 100.]])?, keys, matrix(&[[1.], [2.]])?];
        let (output, weights) = value_of(&case, f(&case[0], &case[1], &case[2]))?;
        same(&given(&case), Ok(weights), &matrix(&[[1., 0.]])?, rounding(2))?;
        same(&given(&case), Ok(output), &matrix(&[[1.]])?, rounding(2))
    })
    .law(Edges, "large scores that differ by 1 keep their difference", |f| {
        // Logits 128 · 128 / 2 = 8192 and 8191, exact in f32.
        let keys = matrix(&[[128., 0., 0., 0.], [127.984_375, 0., 0., 0.]])?;
        let case = [matrix(&[[128., 0., 0., 0.]])?, keys, matrix(&[[1.], [0.]])?];
        let weights = f(&case[0], &case[1], &case[2]).map(|(_, weights)| weights);
        same(&given(&case), weights, &matrix(&[[0.731_058_6, 0.268_941_42]])?, rounding(4))
    })
    .law(Edges, "one token attends to itself: the output is its value", |f| {
        let case = attention_inputs(11, &[1], [1, 1, 3, 2])?;
        let [query, key, value] = &case;
        same(&given(&case), f(query, key, value).map(|(output, _)| output), value, rounding(2))
    })
    .law(Edges, "no queries give no outputs", |f| {
        let case = attention_inputs(12, &[2], [0, 3, 4, 2])?;
        let output = f(&case[0], &case[1], &case[2]).map(|(output, _)| output);
        let empty = Tensor::zeros((2, 0, 2), DType::F32, &Device::Cpu)?;
        same(&given(&case), output, &empty, rounding(1))
    })
    .law(Edges, "no keys, or shapes that do not fit, are an error", |f| {
        let no_keys = attention_inputs(13, &[2], [3, 0, 4, 2])?;
        let [query, key, _] = attention_inputs(14, &[], [2, 3, 4, 2])?;
        let few_values = [query.clone(), key, seeded::normal(15, (2, 2))?];
        let long_keys = [query, seeded::normal(15, (3, 5))?, seeded::normal(15, (3, 2))?];
        for (case, why) in [
            (no_keys, "there is no key to attend to"),
            (few_values, "3 keys, but 2 values"),
            (long_keys, "queries of 4 numbers, keys of 5"),
        ] {
            refused(&given(&case), why, f(&case[0], &case[1], &case[2]))?;
        }
        Ok(())
    })
    .law(Edges, "f64 in, f64 out, to f64's precision", |f| {
        // The logits are 0 and ln 3, as f64.
        let score = 2. * 3f64.ln();
        let query = Tensor::new(&[[1f64, 0., 0., 0.]], &Device::Cpu)?;
        let key = Tensor::new(&[[0., 1., 0., 0.], [score, 0., 0., 0.]], &Device::Cpu)?;
        let case = [query, key, Tensor::new(&[[0f64], [8.]], &Device::Cpu)?];
        let output = f(&case[0], &case[1], &case[2]).map(|(output, _)| output);
        same(&given(&case), output, &Tensor::new(&[[6f64]], &Device::Cpu)?, rounding(8))
    })
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
}

fn value_of(
    case: &[Tensor; 3],
    answer: Result<(Tensor, Tensor)>,
) -> std::result::Result<(Tensor, Tensor), Breach> {
    value(&given(case), answer)
}
