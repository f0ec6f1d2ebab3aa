//! Empty and odd sizes, views, repeated runs, and what must be an error.

use super::layer::{
    Build, attend, causal, draw, dropout_case, given, identities, layer, own, params,
};
use crate::{
    harness::{
        Breach, Check,
        Group::Edges,
        compare::{finite, refused, rounding, same, value as value_or},
        show::{self, remember},
        why,
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

/// Why evaluation draws nothing.
const REPEATABLE: &str = "a validation run in the middle of training must not change what is trained afterwards, or two runs that should agree drift apart.";

pub(super) fn laws(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(Edges(why::ONE), "one token, odd sizes: 3 heads of 5 numbers", |build| {
            let spec = MultiHeadSpec::new(15, 3);
            let case = own(&seeded::normal(8, (3, 1, 15))?);
            let given = given(spec, &case, None);
            let forward = value_or(&given, layer(build, spec, &params(spec, 8)?))?;
            let (output, weights) = value_or(&given, attend(&forward, &case, None))?;
            same(&given, Ok(weights), &Tensor::ones((3, 3, 1, 1), DType::F32, &Device::Cpu)?, rounding(1))?;
            finite(&given, Ok(output))
        })
        .law(
            Edges(why::EMPTY),
            "no queries give no outputs; no keys leave the bias of out_proj",
            move |build| {
                let params = params(small, 9)?;
                let no_queries = draw(9, 2, 0, 3, 8)?;
                let about = given(small, &no_queries, None);
                let forward = value_or(&about, layer(build, small, &params))?;
                let output = attend(&forward, &no_queries, None).map(|(output, _)| output);
                same(&about, output, &Tensor::zeros((2, 0, 8), DType::F32, &Device::Cpu)?, rounding(0))?;
                let no_keys = draw(9, 2, 3, 0, 8)?;
                let about = given(small, &no_keys, None);
                let output = attend(&forward, &no_keys, None).map(|(output, _)| output);
                let bias = params["out_proj.bias"].broadcast_as((2, 3, 8))?.contiguous()?;
                same(&about, output, &bias, rounding(0))
            },
        )
        .law(Edges(why::VIEW), "a transposed view is read as its copy is", move |build| {
            let params = params(small, 17)?;
            let views = draw(18, 2, 8, 8, 3)?.map(|x| x.transpose(1, 2)); // (2, 3, 8)
            let [query, key, value] = views;
            let case = [query?, key?, value?];
            let [query, key, value] = case.clone().map(|x| x.contiguous());
            let given = given(small, &case, None);
            let forward = value_or(&given, layer(build, small, &params))?;
            let (expected, _) = value_or(&given, attend(&forward, &[query?, key?, value?], None))?;
            let output = attend(&forward, &case, None).map(|(output, _)| output);
            same(&format!("{given}\n(transposed views)"), output, &expected, rounding(64))
        })
        .law(
            Edges(REPEATABLE),
            "a call outside training takes no seed: the training calls around it draw what they drew without it",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = remember(given(spec, &case, None));
                let mut runs = Vec::new();
                for between in [false, true] {
                    let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                    if between {
                        value_or(&given, attend(&forward, &case, None))?;
                    }
                    let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                    runs.push(show::values(&y)?);
                }
                if runs[0] == runs[1] {
                    return Ok(());
                }
                let expected = "the same output in training, whether or not a call with train = false came before";
                Err(Breach::text(&given, expected, "another output after that call"))
            },
        )
        .law(
            Edges(why::REFUSED),
            "heads that do not divide embed_dim, key-value heads that do not divide the heads, and a dropout outside [0, 1) are errors",
            |build| {
                let cases = [
                    (MultiHeadSpec::new(6, 4), "4 heads cannot share 6 numbers"),
                    (MultiHeadSpec::grouped(12, 6, 4), "4 key-value heads cannot serve 6 heads evenly"),
                    (MultiHeadSpec::new(8, 2).with_dropout(1.), "nothing would be left at a dropout of 1"),
                    (MultiHeadSpec::new(8, 2).with_dropout(-0.1), "a probability is not negative"),
                ];
                for (spec, why) in cases {
                    // Variables of any shape that is asked for.
                    let given = remember(format!("{spec:?}"));
                    let built = build(spec, VarBuilder::zeros(DType::F32, &Device::Cpu));
                    refused(&given, why, built)?;
                }
                let none = MultiHeadSpec { num_heads: 0, num_kv_heads: 0, ..MultiHeadSpec::new(8, 1) };
                let given = remember(format!("{none:?}"));
                let built = build(none, VarBuilder::zeros(DType::F32, &Device::Cpu));
                refused(&given, "there is no head", built)
            },
        )
        .law(Edges(why::REFUSED), "inputs and masks whose shapes do not fit are an error", move |build| {
            let forward = layer(build, small, &params(small, 11)?)?;
            let [query, key, value] = draw(11, 2, 3, 4, 8)?;
            let short = seeded::normal(12, (2, 3, 8))?;
            let narrow = seeded::normal(13, (2, 4, 6))?;
            let single = seeded::normal(14, (1, 4, 8))?;
            let matrix = seeded::normal(15, (3, 8))?;
            let cases = [
                ([&query, &key, &short], "4 keys, but 3 values"),
                ([&query, &narrow, &narrow], "6 numbers per token instead of 8"),
                ([&query, &single, &single], "a batch of 2 and a batch of 1"),
                ([&query, &key, &single], "a batch of 2 keys and of 1 value"),
                ([&matrix, &key, &value], "the query has no batch dimension"),
            ];
            for (case, why) in cases {
                let case = case.map(Tensor::clone);
                refused(&given(small, &case, None), why, attend(&forward, &case, None))?;
            }
            let (case, mask) = ([query, key, value], causal(3)?);
            let why = "a mask of 3 × 3 for 3 queries and 4 keys";
            refused(&given(small, &case, Some(&mask)), why, attend(&forward, &case, Some(&mask)))?;
            let (case, mask) = (draw(16, 3, 2, 2, 8)?, Tensor::ones((3, 2, 2), DType::U8, &Device::Cpu)?);
            let why = "a mask of three dimensions is (heads, seq_q, seq_k), and here are 2 heads; (batch, 1, seq_q, seq_k) is one for each batch entry";
            refused(&given(small, &case, Some(&mask)), why, attend(&forward, &case, Some(&mask)))
        })
}
