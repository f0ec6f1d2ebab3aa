//! What the average by weight and the soft lookup must hold.

use super::{Binary, ones, pair, pytorch, turned, weights_of, zeros};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Weights},
        Outcome,
        cases::{HALF, attention_inputs, matrix},
        compare::{refused, rounding, same, value},
        gradient::gradients_agree,
        show, why,
    },
    wrong,
};
use candle_core::{D, DType, Device, IndexOp, Result, Tensor};

/// `soft_lookup`: query, key, value to output and weights.
pub(crate) type Lookup = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)>;

pub(super) fn zoo() -> Vec<Proof> {
    [weighted_average_laws().proofs(), soft_lookup_laws().proofs()].into_iter().flatten().collect()
}

/// Checks Σ weight · value: `(…, seq_q, seq_k)`, `(…, seq_k, dim)` → `(…, seq_q, dim)`.
pub fn weighted_average(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    weighted_average_laws().judge(&answer)
}

fn weighted_average_laws() -> Check<Binary> {
    let law = |f: &Binary, weights: &Tensor, value: &Tensor, expected: &Tensor, units| {
        pair(["weights", "value"], f, [weights, value], expected, units)
    };
    Check::new("dot_products::weighted_average", wrong::dot_products::weighted_average())
        .law(
            Implementation,
            "each value counts by its weight: ¼ of (4, 0) and ¾ of (0, 8) are (1, 6)",
            move |f| {
                let value = matrix(&[[4., 0.], [0., 8.]])?;
                law(f, &matrix(&[[0.25, 0.75]])?, &value, &matrix(&[[1., 6.]])?, 4)
            },
        )
        .law(
            Weights,
            "a weight of 1 on one value hands over that value: the hard lookup",
            move |f| {
                let value = matrix(&[[1., 2.], [3., 4.], [5., 6.]])?;
                law(
                    f,
                    &matrix(&[[0., 0., 1.], [1., 0., 0.]])?,
                    &value,
                    &matrix(&[[5., 6.], [1., 2.]])?,
                    2,
                )
            },
        )
        .law(
            Implementation,
            "one row of weights makes one row of output: row i of the output uses row i of the weights",
            move |f| {
                let weights = matrix(&[[0.5, 0.5], [1., 0.]])?;
                law(
                    f,
                    &weights,
                    &matrix(&[[2., 4.], [6., 0.]])?,
                    &matrix(&[[4., 2.], [2., 4.]])?,
                    4,
                )
            },
        )
        .law(
            Implementation,
            "weights are taken as they are: twice the weights, twice the output",
            move |f| {
                let value = matrix(&[[4., 0.], [0., 8.]])?;
                law(f, &matrix(&[[0.5, 1.5]])?, &value, &matrix(&[[2., 12.]])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
            move |f| {
                let fixtures = pytorch()?;
                for name in ["matrix", "batch", "heads"] {
                    let get = |part: &str| fixtures.get(&format!("lookup.{name}.{part}"));
                    law(f, &get("weights")?, &get("value")?, &get("output")?, 16)?;
                }
                Ok(())
            },
        )
        .property(
            Weights,
            "an average stays between the smallest and the largest value of its column",
            (1..4usize, 1..6usize, 1..4usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let weights = weights_of(&seeded::normal(seed, (seq_q, seq_k))?)?;
                let values = seeded::normal(seed + 1, (seq_k, dim))?;
                let given = show::inputs(&[("weights", &weights), ("value", &values)]);
                let output = value(&given, f(&weights, &values))?;
                inside(&given, &output, &values, seq_k + 2)
            },
        )
        .property(
            Implementation,
            "the order of the values does not matter as long as the weights are in the same order",
            (1..4usize, 2..6usize, 1..4usize, 0..1000u64),
            move |f, (seq_q, seq_k, dim, seed)| {
                let weights = weights_of(&seeded::normal(seed, (2, seq_q, seq_k))?)?;
                let values = seeded::normal(seed + 1, (2, seq_k, dim))?;
                let given = show::inputs(&[("weights", &weights), ("value", &values)]);
                let expected = value(&given, f(&weights, &values))?;
                let columns = turned(&weights.transpose(1, 2)?)?.transpose(1, 2)?;
                law(f, &columns, &turned(&values)?, &expected, 4 * seq_k)
            },
        )
        .law(
            Implementation,
            "f64 in, f64 out, to f64's precision (gradients are compared in f64)",
            move |f| {
                let value = Tensor::new(&[[1f64], [1e-12]], &Device::Cpu)?;
                let expected = Tensor::new(&[[1f64 + 1e-12]], &Device::Cpu)?;
                law(f, &ones(&[1, 2], DType::F64)?, &value, &expected, 2)
            },
        )
        .law(Gradients, "gradients reach weights and value and are right", |f| {
            let [weights, value] = [seeded::normal(7, (2, 2, 3))?, seeded::normal(8, (2, 3, 2))?];
            gradients_agree(&[("weights", &weights), ("value", &value)], |inputs| {
                f(&inputs[0], &inputs[1])
            })
        })
        .law(
            Edges(why::EMPTY),
            "no queries give no outputs, and an empty sum is 0: never a panic",
            move |f| {
                law(f, &zeros(&[2, 0, 3])?, &zeros(&[2, 3, 4])?, &zeros(&[2, 0, 4])?, 1)?;
                law(f, &zeros(&[2, 3, 0])?, &zeros(&[2, 0, 4])?, &zeros(&[2, 3, 4])?, 1)
            },
        )
        .law(
            Edges(why::REFUSED),
            "a row with more or fewer weights than there are values is an error, and so are leading dimensions that differ",
            |f| {
                for (weights, value, why) in [
                    (zeros(&[2, 3])?, zeros(&[2, 3])?, "3 weights per row, but 2 values"),
                    (
                        zeros(&[1, 2, 3])?,
                        zeros(&[2, 3, 4])?,
                        "weights for a batch of 1, values for 2: nothing is broadcast",
                    ),
                    (
                        zeros(&[2, 3, 1, 4])?,
                        zeros(&[3, 2, 4, 1])?,
                        "weights for 2 batch elements of 3 heads, values for 3 of 2",
                    ),
                ] {
                    let given = show::inputs(&[("weights", &weights), ("value", &value)]);
                    refused(&given, why, f(&weights, &value))?;
                }
                Ok(())
            },
        )
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            HALF.iter().try_for_each(|&half| {
                let (weights, value) = (matrix(&[[0.25, 0.75]])?, matrix(&[[4., 0.], [0., 8.]])?);
                let expected = matrix(&[[1., 6.]])?.to_dtype(half)?;
                law(f, &weights.to_dtype(half)?, &value.to_dtype(half)?, &expected, 4)
            })
        })
}

/// The law that each entry of `output` lies between the least and the greatest entry of its column of `values`.
fn inside(given: &str, output: &Tensor, values: &Tensor, units: usize) -> Outcome {
    let (low, high) = (values.min_keepdim(D::Minus2)?, values.max_keepdim(D::Minus2)?);
    let clamped = value(given, output.broadcast_maximum(&low))?.broadcast_minimum(&high)?;
    same(given, Ok(output.clone()), &clamped, rounding(units))
}

/// Checks the soft lookup, output and weights.
pub fn soft_lookup(
    answer: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<(Tensor, Tensor)> + 'static,
) -> Verdict {
    soft_lookup_laws().judge(&answer)
}

/// Query, key and value, and what the answer made of them.
struct Asked<'a> {
    given: String,
    f: &'a Lookup,
    case: &'a [Tensor; 3],
}

impl<'a> Asked<'a> {
    fn new(f: &'a Lookup, case: &'a [Tensor; 3]) -> Self {
        let [query, key, value] = case;
        Self { given: show::inputs(&[("query", query), ("key", key), ("value", value)]), f, case }
    }

    fn answer(&self) -> std::result::Result<(Tensor, Tensor), Breach> {
        let [query, key, values] = self.case;
        value(&self.given, (self.f)(query, key, values))
    }

    fn output_is(&self, expected: &Tensor, units: usize) -> Outcome {
        same(
            &format!("{}\nlooked at: the output", self.given),
            Ok(self.answer()?.0),
            expected,
            rounding(units),
        )
    }

    fn weights_are(&self, expected: &Tensor, units: usize) -> Outcome {
        same(
            &format!("{}\nlooked at: the weights", self.given),
            Ok(self.answer()?.1),
            expected,
            rounding(units),
        )
    }
}

fn soft_lookup_laws() -> Check<Lookup> {
    // q·k is 0 and ln 3: exponentials 1 and 3.
    let small = || -> Result<[Tensor; 3]> {
        let key = matrix(&[[0., 1.], [3f32.ln() / 2., 0.]])?;
        Ok([matrix(&[[2., 0.]])?, key, matrix(&[[0., 4., 1.], [8., 0., 1.]])?])
    };
    Check::new("dot_products::soft_lookup", wrong::dot_products::soft_lookup())
        .law(
            Weights,
            "the weights are the exponentials of q·k over their sum: 1 and 3 become ¼ and ¾",
            move |f| Asked::new(f, &small()?).weights_are(&matrix(&[[0.25, 0.75]])?, 8),
        )
        .law(
            Implementation,
            "the output is the values' average by weight; a value may have more numbers than a key",
            move |f| Asked::new(f, &small()?).output_is(&matrix(&[[6., 1., 1.]])?, 8),
        )
        .law(
            Weights,
            "a query that matches no key better than another gets the plain average",
            |f| {
                let case = [zeros(&[1, 2])?, matrix(&[[1., 2.], [3., 4.]])?, matrix(&[[2., 4.], [6., 0.]])?];
                Asked::new(f, &case).output_is(&matrix(&[[4., 2.]])?, 4)
            },
        )
        .law(
            Weights,
            "a query that matches one key far better gets that key's value: nearly a hard lookup",
            |f| {
                // Scores 40 and 0: the other weight is e⁻⁴⁰, below all rounding.
                let case = [matrix(&[[40., 0.]])?, matrix(&[[1., 0.], [0., 1.]])?, matrix(&[[2., 4.], [6., 0.]])?];
                Asked::new(f, &case).output_is(&matrix(&[[2., 4.]])?, 4)
            },
        )
        .law(
            Implementation,
            "equals PyTorch's (scale 1) over (seq, dim), (batch, seq, dim) and (batch, heads, seq, head_dim)",
            |f| {
                let fixtures = pytorch()?;
                for name in ["matrix", "batch", "heads"] {
                    let get = |part: &str| fixtures.get(&format!("lookup.{name}.{part}"));
                    let case = [get("query")?, get("key")?, get("value")?];
                    let asked = Asked::new(f, &case);
                    // 8 products per score of size ≤ 10, whose rounding the exponential hands on: 128 roundings.
                    asked.output_is(&get("output")?, 128)?;
                    asked.weights_are(&get("weights")?, 128)?;
                }
                Ok(())
            },
        )
        .property(
            Weights,
            "each query's weights sum to 1, and its output stays between the least and the greatest value",
            (1..4usize, 1..6usize, 1..5usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let case = attention_inputs(seed, &[2], [seq_q, seq_k, dim, 2])?;
                let asked = Asked::new(f, &case);
                let (output, weights) = asked.answer()?;
                let given = format!("{}\nlooked at: the sum of each row of weights", asked.given);
                // As in `naive_softmax`; an average moves as far as its weights, times values of size ≤ 4.
                let units = seq_k + 16;
                same(&given, weights.sum(D::Minus1), &ones(&[2, seq_q], DType::F32)?, rounding(units))?;
                inside(&asked.given, &output, &case[2], units)
            },
        )
        .property(
            Implementation,
            "the order of the pairs of key and value does not matter; queries in another order give outputs in that order",
            (1..4usize, 2..6usize, 1..5usize, 0..1000u64),
            |f, (seq_q, seq_k, dim, seed)| {
                let case = attention_inputs(seed, &[], [seq_q, seq_k, dim, 2])?;
                let (expected, _) = Asked::new(f, &case).answer()?;
                let [query, key, values] = &case;
                let pairs = [query.clone(), turned(key)?, turned(values)?];
                // Scores of size ≤ 16 with `dim` roundings, which the exponential hands on.
                Asked::new(f, &pairs).output_is(&expected, 16 * (seq_k + dim))?;
                let queries = [turned(query)?, key.clone(), values.clone()];
                Asked::new(f, &queries).output_is(&turned(&expected)?, 16 * (seq_k + dim))
            },
        )
        .law(Implementation, "f64 in, f64 out, to f64's precision (gradients are compared in f64)", |f| {
            // Scores 0 and 1e-12: weights ½ ∓ 2.5e-13, which f32 cannot tell from ½.
            let column =
                |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(1);
            let case = [column(&[1.])?, column(&[0., 1e-12])?, column(&[0., 4.])?];
            let expected = Tensor::new(&[[0.5 - 2.5e-13, 0.5 + 2.5e-13]], &Device::Cpu)?;
            Asked::new(f, &case).weights_are(&expected, 8)?;
            Asked::new(f, &case).output_is(&column(&[2. + 1e-12])?, 8)
        })
        .law(Gradients, "gradients of output and weights reach query, key and value, and are right", |f| {
            let [query, key, value] = attention_inputs(17, &[1], [2, 3, 4, 2])?;
            gradients_agree(
                &[("query", &query), ("key", &key), ("value", &value)],
                |inputs| Ok(f(&inputs[0], &inputs[1], &inputs[2])?.0),
            )?;
            gradients_agree(
                &[("query", &query), ("key", &key)],
                |inputs| Ok(f(&inputs[0], &inputs[1], &inputs[1])?.1),
            )
        })
        .law(
            Edges(why::ONE),
            "one key gets the whole weight: the output is its value",
            |f| {
                let case = attention_inputs(11, &[1], [2, 1, 3, 2])?;
                let value = case[2].i((.., 0..1))?;
                Asked::new(f, &case).output_is(&Tensor::cat(&[&value, &value], 1)?, 2)
            },
        )
        .law(Edges(why::EMPTY), "no queries give no outputs", |f| {
            let none = attention_inputs(12, &[2], [0, 3, 4, 2])?;
            Asked::new(f, &none).output_is(&zeros(&[2, 0, 2])?, 1)
        })
        .law(
            Edges(why::REFUSED),
            "shapes that do not fit are an error",
            |f| {
                let [query, key, _] = attention_inputs(14, &[], [2, 3, 4, 2])?;
                let unfit = [
                    ([query.clone(), key.clone(), zeros(&[2, 2])?], "3 keys, but 2 values"),
                    ([query, zeros(&[3, 5])?, zeros(&[3, 2])?], "queries of 4 numbers, but keys of 5"),
                    (
                        [zeros(&[2, 3, 1, 4])?, zeros(&[3, 2, 1, 4])?, zeros(&[3, 2, 1, 4])?],
                        "queries for 2 batch elements of 3 heads, keys for 3 of 2",
                    ),
                    ([zeros(&[1, 2, 4])?, zeros(&[2, 3, 4])?, zeros(&[2, 3, 2])?], "a batch of 1 meets a batch of 2"),
                ];
                for (case, why) in &unfit {
                    let asked = Asked::new(f, case);
                    refused(&asked.given, why, f(&case[0], &case[1], &case[2]))?;
                }
                Ok(())
            },
        )
        .law(Edges(why::HALF), "f16 and bf16 in, the same out", move |f| {
            HALF.iter().try_for_each(|&half| {
                let case = small()?.map(|tensor| tensor.to_dtype(half));
                let [query, key, value] = case;
                let case = [query?, key?, value?];
                // ln 3 is rounded, its exponential, the sum, the quotient; the output is at most 6 times that.
                Asked::new(f, &case).weights_are(&matrix(&[[0.25, 0.75]])?.to_dtype(half)?, 8)?;
                Asked::new(f, &case).output_is(&matrix(&[[6., 1., 1.]])?.to_dtype(half)?, 8)
            })
        })
}
