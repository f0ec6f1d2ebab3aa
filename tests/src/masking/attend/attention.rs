//! What masked attention must hold.

use super::masks::{HIDDEN, additive, random_keep, row_sums, showing};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Gradients, Implementation, Masks, Weights},
        Outcome,
        cases::{attention_inputs, matrix},
        compare::{exactly, refused, rounding, same, value},
        gradient::gradients_agree,
        show::{inputs, remember},
        why,
    },
    masking::{keep_where, mask, plain_attention, pytorch},
    wrong,
};
use candle_core::{D, DType, Device, Result, Tensor};

/// `masked_attention`: query, key, value and a mask to output and weights.
pub type MaskedAttention =
    dyn Fn(&Tensor, &Tensor, &Tensor, Option<&Tensor>) -> Result<(Tensor, Tensor)>;

pub(super) fn zoo() -> Vec<Proof> {
    attention_laws().proofs()
}

/// Checks `masked_attention`: output and weights under any mask that broadcasts to `(…, seq_q, seq_k)`.
pub fn masked_attention(
    answer: impl Fn(&Tensor, &Tensor, &Tensor, Option<&Tensor>) -> Result<(Tensor, Tensor)> + 'static,
) -> Verdict {
    attention_laws().judge(&answer)
}

/// Query, key, value, and a mask.
type Case<'a> = (&'a [Tensor; 3], Option<&'a Tensor>);
type Answer = std::result::Result<(Tensor, Tensor), Breach>;

fn attention_given(([query, key, v], mask): Case) -> String {
    let given = inputs(&[("query", query), ("key", key), ("value", v)]);
    remember(match mask {
        Some(mask) => format!("{given}\n{}", inputs(&[("mask", mask)])),
        None => format!("{given}\nmask: none"),
    })
}

fn attend(f: &MaskedAttention, case: Case) -> Answer {
    let ([query, key, v], mask) = case;
    value(&attention_given(case), f(query, key, v, mask))
}

/// The law that output and weights are what is expected, within `units` roundings.
fn attention_law(f: &MaskedAttention, case: Case, expected: [&Tensor; 2], units: usize) -> Outcome {
    let (output, weights) = attend(f, case)?;
    let given = attention_given(case);
    same(&format!("{given}\nlooked at: the weights"), Ok(weights), expected[1], rounding(units))?;
    same(&format!("{given}\nlooked at: the output"), Ok(output), expected[0], rounding(units))
}

/// One query and three keys whose scaled scores are 0, ln 3 and 9; values with two columns.
fn three_keys() -> Result<[Tensor; 3]> {
    let at = |score: f32| [2. * score, 0., 0., 0.];
    Ok([
        matrix(&[[1., 0., 0., 0.]])?,
        matrix(&[at(0.), at(3f32.ln()), at(9.)])?,
        matrix(&[[0., 4.], [8., 4.], [100., 100.]])?,
    ])
}

/// Two queries and three keys of two numbers each, in f64, as gradients are compared.
fn in_f64(seed: u64) -> Result<[Tensor; 3]> {
    let [query, key, v] =
        attention_inputs(seed, &[], [2, 3, 2, 2])?.map(|x| x.to_dtype(DType::F64));
    Ok([query?, key?, v?])
}

fn triangle(seq_q: usize, seq_k: usize) -> Result<Tensor> {
    keep_where(seq_q, seq_k, |query, key| key <= query)
}

fn attention_laws() -> Check<MaskedAttention> {
    Check::new("masking::masked_attention", wrong::masking::masked_attention())
        .law(Weights, "a hidden key gets no weight, and its value does not reach the output", |f| {
            let expected = [&matrix(&[[6., 4.]])?, &matrix(&[[0.25, 0.75, 0.]])?];
            attention_law(f, (&three_keys()?, Some(&mask(&[[1, 1, 0]])?)), expected, 16)
        })
        .law(Weights, "an additive mask is added to the scaled scores", |f| {
            let expected = [&matrix(&[[4., 4.]])?, &matrix(&[[0.5, 0.5, 0.]])?];
            let bias = matrix(&[[3f32.ln(), 0., HIDDEN]])?;
            attention_law(f, (&three_keys()?, Some(&bias)), expected, 16)
        })
        .law(Weights, "a query with nothing to see gets zeros: weights and output", |f| {
            let [query, key, v] = three_keys()?;
            let case = [Tensor::cat(&[&query, &query], 0)?, key, v];
            let expected = [&matrix(&[[0., 0.], [6., 4.]])?, &matrix(&[[0., 0., 0.], [0.25, 0.75, 0.]])?];
            attention_law(f, (&case, Some(&mask(&[[0, 0, 0], [1, 1, 0]])?)), expected, 16)
        })
        .law(Masks, "rows of the mask are queries, columns are keys", |f| {
            let case = [matrix(&[[0.], [0.]])?, matrix(&[[0.], [0.]])?, matrix(&[[2.], [4.]])?];
            let expected = [&matrix(&[[2.], [3.]])?, &matrix(&[[1., 0.], [0.5, 0.5]])?];
            attention_law(f, (&case, Some(&mask(&[[1, 0], [1, 1]])?)), expected, 4)
        })
        .law(Implementation, "equals PyTorch's with boolean, float and causal masks", |f| {
            let fixtures = pytorch()?;
            for name in ["bool", "float", "wide", "tall"] {
                let get = |part: &str| fixtures.get(&format!("{name}.{part}"));
                let case = [get("query")?, get("key")?, get("value")?];
                let keep = match name {
                    "wide" => triangle(3, 5)?,
                    "tall" => triangle(5, 3)?,
                    _ => get("mask")?,
                };
                // head_dim 4 products a score, at most 5 keys a row, values of size ≤ 4.
                attention_law(f, (&case, Some(&keep)), [&get("output")?, &get("weights")?], 32)?;
            }
            Ok(())
        })
        .law(
            Implementation,
            "equals PyTorch's MultiheadAttention under its `key_padding_mask`, inverted",
            |f| {
                let get = |part: &str| pytorch()?.get(&format!("padding.{part}"));
                let input = get("input")?; // (batch, seq, dim)
                let keep = get("hide")?.eq(0u8)?.reshape((2, 1, 4))?;
                let case = [input.clone(), input.clone(), input];
                attention_law(f, (&case, Some(&keep)), [&get("output")?, &get("weights")?], 32)
            },
        )
        .property(
            Masks,
            "nothing leaks from the future: under a causal mask, later tokens change no earlier output",
            (2..6usize, 1..5usize, 0..1000u64),
            |f, (seq, dim, seed)| {
                let before = attention_inputs(seed, &[], [seq, seq, dim, 2])?;
                let other = attention_inputs(seed + 5, &[], [seq, seq, dim, 2])?;
                let keep = triangle(seq, seq)?;
                let now = 1 + seed as usize % (seq - 1);
                let changed = |at: usize| {
                    Tensor::cat(&[before[at].narrow(0, 0, now)?, other[at].narrow(0, now, seq - now)?], 0)
                };
                let after = [changed(0)?, changed(1)?, changed(2)?];
                let (expected, _) = attend(f, (&before, Some(&keep)))?;
                let (output, _) = attend(f, (&after, Some(&keep)))?;
                let given = format!(
                    "{}\nchanged: the tokens from {now} on\nlooked at: the outputs before them",
                    attention_given((&after, Some(&keep)))
                );
                same(&given, output.narrow(0, 0, now), &expected.narrow(0, 0, now)?, exactly())
            },
        )
        .property(
            Masks,
            "padding changes nothing: each sequence of a padded batch comes out as it does alone",
            (proptest::collection::vec(1..5usize, 1..4), 1..4usize, 0..1000u64),
            |f, (lengths, dim, seed)| {
                let seq = 5;
                let batch = attention_inputs(seed, &[lengths.len()], [seq, seq, dim, 2])?;
                let keep = keep_where(lengths.len(), seq, |row, key| key < lengths[row])?;
                let keep = keep.reshape((lengths.len(), 1, seq))?;
                let (output, _) = attend(f, (&batch, Some(&keep)))?;
                for (at, &length) in lengths.iter().enumerate() {
                    let alone = |x: &Tensor| x.get(at)?.narrow(0, 0, length)?.contiguous();
                    let alone = [alone(&batch[0])?, alone(&batch[1])?, alone(&batch[2])?];
                    let (expected, _) = attend(f, (&alone, None))?;
                    let given = format!(
                        "{}\nlooked at: the first {length} outputs of sequence {at}; expected: those of this sequence alone",
                        attention_given((&batch, Some(&keep)))
                    );
                    let ours = output.get(at)?.narrow(0, 0, length);
                    same(&given, ours, &expected, rounding(4 * (seq + dim)))?;
                }
                Ok(())
            },
        )
        .property(
            Weights,
            "each query's weights sum to 1, or to 0 when it sees nothing",
            (1..4usize, 1..5usize, 0..1000u64),
            |f, (seq_q, seq_k, seed)| {
                let case = attention_inputs(seed, &[], [seq_q, seq_k, 3, 2])?;
                let keep = random_keep(seed + 3, seq_q, seq_k)?;
                let (_, weights) = attend(f, (&case, Some(&keep)))?;
                let given = format!("{}\nlooked at: the sum of each row", attention_given((&case, Some(&keep))));
                same(&given, weights.sum(D::Minus1), &row_sums(&keep)?, rounding(seq_k + 1))
            },
        )
        .law(Gradients, "f64 in, f64 out, without a detour through f32; gradients are compared in f64", |f| {
            // √5 is not an f32: rounded to one, it is off by 1.5e-8 of its size.
            let case = attention_inputs(35, &[], [2, 3, 5, 2])?;
            let [query, key, v] = case.map(|x| x.to_dtype(DType::F64));
            let case = [query?, key?, v?];
            let keep = mask(&[[1, 0, 1], [1, 1, 0]])?;
            let expected = plain_attention(&case[0], &case[1], &case[2], &keep)?;
            let (output, _) = attend(f, (&case, Some(&keep)))?;
            same(&attention_given((&case, Some(&keep))), Ok(output), &expected, rounding(32))
        })
        .law(
            Gradients,
            "gradients reach query, key and value, and are right: 0, not NaN, from a query that sees nothing",
            |f| {
                let [query, key, v] = in_f64(36)?;
                let keep = mask(&[[1, 0, 1], [0, 0, 0]])?;
                let additive = additive(&keep)?.to_dtype(DType::F64)?;
                [keep, additive].iter().try_for_each(|mask| {
                    let named = [("query", &query), ("key", &key), ("value", &v)];
                    let output = |inputs: &[Tensor]| Ok(f(&inputs[0], &inputs[1], &inputs[2], Some(mask))?.0);
                    showing(mask, gradients_agree(&named, output))
                })
            },
        )
        .law(Gradients, "gradients go through the returned weights too: a loss may be computed from them", |f| {
            let [query, key, v] = in_f64(37)?;
            let keep = mask(&[[1, 0, 1], [1, 1, 1]])?;
            let named = [("query", &query), ("key", &key)];
            let weights = |inputs: &[Tensor]| Ok(f(&inputs[0], &inputs[1], &v, Some(&keep))?.1);
            showing(&keep, gradients_agree(&named, weights))
        })
        .law(Gradients, "the gradient reaches an additive mask: a bias may be learned", |f| {
            let ([query, key, v], bias) = (in_f64(39)?, seeded::normal(42, (2, 3))?.to_dtype(DType::F64)?);
            let given = inputs(&[("query", &query), ("key", &key), ("value", &v)]);
            let output = |inputs: &[Tensor]| Ok(f(&query, &key, &v, Some(&inputs[0]))?.0);
            gradients_agree(&[("mask", &bias)], output)
                .map_err(|breach| Breach { given: format!("{given}\n{}", breach.given), ..breach })
        })
        .law(Edges(why::HALF), "f16 in, f16 out, and the same for bf16", |f| {
            let keep = mask(&[[1, 0, 1], [1, 1, 0]])?;
            for dtype in [DType::F16, DType::BF16] {
                let [query, key, v] = attention_inputs(38, &[], [2, 3, 4, 2])?.map(|x| x.to_dtype(dtype));
                let case = [query?, key?, v?];
                let [query, key, v] = case.clone().map(|x| x.to_dtype(DType::F32));
                let expected = plain_attention(&query?, &key?, &v?, &keep)?.to_dtype(dtype)?;
                let (output, _) = attend(f, (&case, Some(&keep)))?;
                same(&attention_given((&case, Some(&keep))), Ok(output), &expected, rounding(32))?;
            }
            Ok(())
        })
        .law(Edges(why::EMPTY), "no keys: zeros for every query; no queries: no outputs", |f| {
            let zeros = |rows, columns| Tensor::zeros((2, rows, columns), DType::F32, &Device::Cpu);
            let no_keys = attention_inputs(33, &[2], [3, 0, 4, 2])?;
            attention_law(f, (&no_keys, None), [&zeros(3, 2)?, &zeros(3, 0)?], 0)?;
            let no_queries = attention_inputs(34, &[2], [0, 3, 4, 2])?;
            attention_law(f, (&no_queries, None), [&zeros(0, 2)?, &zeros(0, 3)?], 0)
        })
        .law(Edges(why::STRETCHED), "shapes that do not fit are an error", |f| {
            let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let fit = [zeros(&[2, 4])?, zeros(&[3, 4])?, zeros(&[3, 2])?];
            let [query, key, v] = fit.clone();
            let heads = [zeros(&[2, 3, 1, 4])?, zeros(&[3, 2, 1, 4])?, zeros(&[3, 2, 1, 2])?];
            let batch = [zeros(&[1, 2, 4])?, zeros(&[2, 3, 4])?, zeros(&[2, 3, 2])?];
            let short = mask(&[[1, 0]])?;
            let unfit = [
                (&fit, Some(&short), "the mask has 2 keys, there are 3"),
                (&[query.clone(), key, zeros(&[2, 2])?], None, "3 keys, but 2 values"),
                (&[query, zeros(&[3, 5])?, v], None, "queries of 4 numbers, but keys of 5"),
                (&batch, None, "a batch of 1 meets a batch of 2"),
                (&heads, None, "queries for 2 batch elements of 3 heads, keys for 3 of 2"),
            ];
            unfit.into_iter().try_for_each(|(case, mask, why)| {
                let given = attention_given((case, mask));
                refused(&given, why, f(&case[0], &case[1], &case[2], mask))
            })
        })
}
