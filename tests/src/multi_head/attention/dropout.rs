//! What is dropped in training, and that nothing is outside it.

use super::layer::{Build, attend, draw, dropout_case, given, identities, layer, params};
use crate::{
    harness::{
        Breach, Check,
        Group::Weights,
        compare::{rounding, same, value as value_or},
        show::{self, remember},
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

fn training(given: String) -> String {
    remember(format!("{given}\ntrain: true"))
}

pub(super) fn laws(check: Check<Build>) -> Check<Build> {
    check
        .law(Weights, "nothing is dropped outside training", |build| {
            let spec = MultiHeadSpec::new(8, 2);
            let case = draw(5, 1, 3, 4, 8)?;
            let dropping = spec.with_dropout(0.5);
            let given = given(dropping, &case, None);
            let params = params(spec, 5)?;
            let plain = value_or(&given, layer(build, spec, &params))?;
            let (expected, _) = value_or(&given, attend(&plain, &case, None))?;
            let forward = value_or(&given, layer(build, dropping, &params))?;
            let output = attend(&forward, &case, None).map(|(output, _)| output);
            same(&given, output, &expected, rounding(0))
        })
        .law(
            Weights,
            "in training a weight is dropped with its whole value, and the others are divided by 1 − dropout",
            |build| {
                let (spec, case) = dropout_case(100, 8)?;
                let [query, key, value] = &case;
                let given = training(format!(
                    "{}\nprojections that change nothing; all weights are ⅛; value j is 1 at numbers j and 8 + j",
                    given(spec, &case, None)
                ));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (output, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                let rows = value_or(&given, output.squeeze(0)?.to_vec2::<f32>())?;
                let close = |x: f32, to: f32| (x - to).abs() <= 8. * f32::EPSILON;
                let odd = rows.iter().flatten().find(|&&x| !close(x, 0.) && !close(x, 0.25));
                if let Some(odd) = odd {
                    let got = show::number(f64::from(*odd));
                    return Err(Breach::text(&given, "only 0 and ⅛ / ½ = 0.25", &got));
                }
                if let Some(row) = rows.iter().find(|row| row[..8] != row[8..]) {
                    let expected = "numbers 0–7 equal to numbers 8–15: both show the same weights";
                    return Err(Breach::text(&given, expected, &format!("{row:?}")));
                }
                let dropped = rows.iter().flat_map(|row| &row[..8]).filter(|&&x| close(x, 0.)).count();
                // 800 draws of probability ½: five standard deviations are 71.
                if (329..=471).contains(&dropped) {
                    return Ok(());
                }
                Err(Breach::text(&given, "about half of the 800 weights dropped", &dropped.to_string()))
            },
        )
        .law(
            Weights,
            "in training each weight is dropped with probability `dropout`, by a draw of its own for each batch entry, head, query and key; the mask still holds",
            |build| {
                // Two heads with head_dim = keys: value j is 1 at number j of each head. The last key is hidden.
                let spec = MultiHeadSpec::new(16, 2).without_bias().with_dropout(0.25);
                let eye = Tensor::eye(8, DType::F32, &Device::Cpu)?;
                let ones = |seq: usize| Tensor::ones((2, seq, 16), DType::F32, &Device::Cpu);
                let value = Tensor::cat(&[&eye, &eye], 1)?.unsqueeze(0)?.repeat((2, 1, 1))?;
                let case = [ones(100)?, ones(8)?, value];
                let mask = Tensor::new(&[1u8, 1, 1, 1, 1, 1, 1, 0], &Device::Cpu)?;
                let given = training(given(spec, &case, Some(&mask)));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let [query, key, value] = &case;
                let (output, _) = value_or(&given, forward(query, key, value, Some(&mask), false, true))?;
                let shown = value_or(&given, output.reshape((2, 100, 2, 8)))?; // (batch, query, head, key)
                let hidden = shown.narrow(3, 7, 1)?;
                same(&format!("{given}\nlooked at: the hidden key"), Ok(hidden.clone()), &hidden.zeros_like()?, rounding(0))?;
                let seen = shown.narrow(3, 0, 7)?;
                let kept = seen.ne(0.)?.to_dtype(DType::F32)?;
                // Seven weights of 1/7, those that stay divided by ¾.
                same(&given, Ok(seen), &(&kept * (4. / 21.))?, rounding(16))?;
                let dropped = 2800. - kept.sum_all()?.to_scalar::<f32>()?;
                // 2800 draws of probability ¼: five standard deviations are 115.
                if !(585. ..=815.).contains(&dropped) {
                    return Err(Breach::text(&given, "about a quarter of the 2800 weights dropped", &dropped.to_string()));
                }
                for (axis, name) in ["batch entries", "queries", "heads", "keys"].iter().enumerate() {
                    let first = kept.narrow(axis, 0, 1)?.broadcast_as(kept.shape())?;
                    if (first - &kept)?.abs()?.sum_all()?.to_scalar::<f32>()? == 0. {
                        let got = format!("one draw for all {name}");
                        return Err(Breach::text(&given, "a draw for each weight", &got));
                    }
                }
                Ok(())
            },
        )
        .law(
            Weights,
            "layers with different names drop different weights",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let mut runs = Vec::new();
                for name in ["encoder.0", "encoder.1"] {
                    let named = identities(spec)?.into_iter().map(|(n, x)| (format!("{name}.{n}"), x));
                    let vb = VarBuilder::from_tensors(named.collect(), DType::F32, &Device::Cpu).pp(name);
                    let forward = value_or(&given, build(spec, vb))?;
                    let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                    runs.push(show::values(&y)?);
                }
                if runs[0] != runs[1] {
                    return Ok(());
                }
                Err(Breach::text(&given, "different outputs from encoder.0 and encoder.1", "the same"))
            },
        )
        .law(
            Weights,
            "the weights returned in training are those before dropout",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (_, weights) = value_or(&given, forward(query, key, value, None, true, true))?;
                let Some(weights) = weights else {
                    return Err(Breach::text(&given, "weights", "None"));
                };
                let mut numbers: Vec<String> =
                    show::values(&weights)?.into_iter().map(show::number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                // Which ones are dropped depends on the seed; what they become does not.
                if numbers == ["0.25"] {
                    return Ok(());
                }
                let got = format!("the numbers {}", numbers.join(" and "));
                Err(Breach::text(&given, "¼ for each of 4 keys that are alike", &got))
            },
        )
        .law(
            Weights,
            "each call in training drops different weights, and a new layer repeats the calls of the first",
            |build| {
                let (spec, case) = dropout_case(5, 4)?;
                let [query, key, value] = &case;
                let given = training(given(spec, &case, None));
                let mut runs = Vec::new();
                for _ in 0..2 {
                    let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                    for _ in 0..2 {
                        let (y, _) = value_or(&given, forward(query, key, value, None, false, true))?;
                        runs.push(show::values(&y)?);
                    }
                }
                match (runs[0] != runs[1], runs[..2] == runs[2..]) {
                    (true, true) => Ok(()),
                    (false, _) => Err(Breach::text(&given, "a different output in the second call", "the same")),
                    _ => Err(Breach::text(&given, "the same outputs from a new layer", "different ones")),
                }
            },
        )
}
