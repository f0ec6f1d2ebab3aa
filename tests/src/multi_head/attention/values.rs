//! Output and weights without a mask.

use super::{
    layer::{Build, attend, batch_of_one, draw, given, identities, layer, own, params},
    pytorch::equals_pytorch,
};
use crate::{
    harness::{
        Breach, Check,
        Group::{Implementation, Weights},
        compare::{rounding, same, value as value_or},
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{D, DType, Device, Tensor};

pub(super) fn laws(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Implementation,
            "each head attends on its own slice of the numbers, with scores divided by √head_dim",
            |build| {
                // Projections change nothing; head_dim 2. The first query's scaled scores: ln 1, ln 2, ln 5 in head 0,
                // ln 3, ln 1, ln 1 in head 1. The second query is 0: equal weights. Three keys for two heads, so that
                // heads and keys cannot be taken for each other.
                let spec = MultiHeadSpec::new(4, 2).without_bias();
                let root = 2f32.sqrt();
                let case = [
                    batch_of_one([[root, 0., root, 0.], [0., 0., 0., 0.]])?,
                    batch_of_one([[0., 0., 3f32.ln(), 0.], [2f32.ln(), 0., 0., 0.], [5f32.ln(), 0., 0., 0.]])?,
                    batch_of_one([[8., 0., 5., 0.], [0., 8., 0., 5.], [16., 16., 10., 10.]])?,
                ];
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
                let (output, weights) = value_or(&given, attend(&forward, &case, None))?;
                let third = 1f32 / 3.;
                let expected = Tensor::new(
                    &[[
                        [[0.125, 0.25, 0.625], [third, third, third]],
                        [[0.6, 0.2, 0.2], [third, third, third]],
                    ]],
                    &Device::Cpu,
                )?;
                same(&format!("{given}\nlooked at: weights"), Ok(weights), &expected, rounding(8))?;
                let expected = batch_of_one([[11., 12., 5., 3.], [8., 8., 5., 5.]])?;
                same(&format!("{given}\nlooked at: output"), Ok(output), &expected, rounding(16))
            },
        )
        .law(Implementation, "equals torch.nn.MultiheadAttention: self-attention", move |build| {
            equals_pytorch(build, "self", small)
        })
        .law(Implementation, "equals PyTorch's without biases", move |build| {
            equals_pytorch(build, "no_bias", small.without_bias())
        })
        .law(
            Implementation,
            "equals PyTorch's when keys and values come from another sequence of another length",
            move |build| equals_pytorch(build, "cross", small),
        )
        .law(
            Implementation,
            "equals PyTorch's with 2 key-value heads for 4 query heads, and with 1",
            |build| {
                equals_pytorch(build, "grouped", MultiHeadSpec::grouped(8, 4, 2))?;
                equals_pytorch(build, "multi_query", MultiHeadSpec::grouped(8, 4, 1))
            },
        )
        .law(
            Weights,
            "weights come back only when asked for; the output does not depend on it",
            move |build| {
                let case = draw(1, 2, 3, 4, 8)?;
                let [query, key, value] = &case;
                let given = given(small, &case, None);
                let forward = value_or(&given, layer(build, small, &params(small, 1)?))?;
                let with = value_or(&given, forward(query, key, value, None, true, false))?;
                let without = value_or(&given, forward(query, key, value, None, false, false))?;
                let shape = with.1.as_ref().map(Tensor::dims);
                if shape != Some(&[2, 2, 3, 4]) || without.1.is_some() {
                    let expected = "(batch, heads, seq_q, seq_k) = [2, 2, 3, 4] with need_weights, None without";
                    let got = format!("{shape:?} with, {:?} without", without.1.map(|w| w.dims().to_vec()));
                    return Err(Breach::text(&given, expected, &got));
                }
                // Without weights another order of the sums may be faster: the roundings of the PyTorch cases.
                same(&given, Ok(without.0), &with.0, rounding(64))
            },
        )
        .property(
            Weights,
            "each query's weights sum to 1 in each head",
            (1..3usize, 1..5usize, 1..5usize, 1..4usize, 0..1000u64),
            |build, (batch, seq_q, seq_k, heads, seed)| {
                let spec = MultiHeadSpec::new(3 * heads, heads);
                let case = draw(seed, batch, seq_q, seq_k, 3 * heads)?;
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let sums = attend(&forward, &case, None).and_then(|(_, w)| w.sum(D::Minus1));
                let ones = Tensor::ones((batch, heads, seq_q), DType::F32, &Device::Cpu)?;
                same(&format!("{given}\nlooked at: the sums"), sums, &ones, rounding(seq_k + 1))
            },
        )
        .property(
            Implementation,
            "without a mask the order of the tokens does not matter: reversed in, reversed out",
            (2..6usize, 1..4usize, 0..1000u64),
            |build, (seq, heads, seed)| {
                let spec = MultiHeadSpec::new(2 * heads, heads);
                let x = seeded::normal(seed, (1, seq, 2 * heads))?;
                let order = Tensor::arange_step(seq as i64 - 1, -1, -1, &Device::Cpu)?;
                let turned = x.index_select(&order, 1)?;
                let given = given(spec, &own(&x), None);
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let (output, _) = value_or(&given, attend(&forward, &own(&x), None))?;
                let (of_turned, _) = value_or(&given, attend(&forward, &own(&turned), None))?;
                let expected = output.index_select(&order, 1)?;
                same(&given, Ok(of_turned), &expected, rounding(64))
            },
        )
}
