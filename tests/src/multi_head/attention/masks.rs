//! What masks hide and shift.

use super::{
    layer::{Build, attend, causal, draw, given, identities, layer, own, params},
    pytorch::equals_pytorch,
};
use crate::{
    harness::{
        Check,
        Group::Masks,
        compare::{rounding, same, value as value_or},
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{DType, Device, Tensor};

pub(super) fn laws(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Masks,
            "equals PyTorch's with a mask of its own for each batch entry and head",
            move |build| equals_pytorch(build, "mask", small),
        )
        .law(Masks, "equals PyTorch's with padding: a mask (batch, 1, 1, seq_k)", move |build| {
            equals_pytorch(build, "padding", small)
        })
        .law(Masks, "an additive mask of 0 and −∞ does what the keep-mask does", move |build| {
            let case = own(&seeded::normal(2, (1, 3, 8))?);
            let keep = causal(3)?;
            let zeros = Tensor::zeros((3, 3), DType::F32, &Device::Cpu)?;
            let hidden = (zeros.ones_like()? * f64::NEG_INFINITY)?;
            let additive = keep.where_cond(&zeros, &hidden)?;
            let given = given(small, &case, Some(&additive));
            let forward = value_or(&given, layer(build, small, &params(small, 2)?))?;
            let (expected, _) = value_or(&given, attend(&forward, &case, Some(&keep)))?;
            let output = attend(&forward, &case, Some(&additive)).map(|(output, _)| output);
            same(&given, output, &expected, rounding(4))
        })
        .law(Masks, "the numbers of an additive mask are added to the scores", |build| {
            let spec = MultiHeadSpec::new(4, 2).without_bias();
            let zeros = Tensor::zeros((1, 2, 4), DType::F32, &Device::Cpu)?;
            let mask = Tensor::new(&[3f32.ln(), 0.], &Device::Cpu)?;
            let given = given(spec, &own(&zeros), Some(&mask));
            let forward = value_or(&given, layer(build, spec, &identities(spec)?))?;
            let weights = attend(&forward, &own(&zeros), Some(&mask)).map(|(_, weights)| weights);
            let expected = Tensor::new(&[0.75f32, 0.25], &Device::Cpu)?.broadcast_as((1, 2, 2, 2))?;
            same(&format!("{given}\nlooked at: weights"), weights, &expected.contiguous()?, rounding(8))
        })
        .property(
            Masks,
            "with a causal mask, changing the last token changes no earlier output",
            (2..6usize, 1..4usize, 0..1000u64),
            |build, (seq, heads, seed)| {
                let spec = MultiHeadSpec::new(2 * heads, heads);
                let x = seeded::normal(seed, (1, seq, 2 * heads))?;
                let last = seeded::normal(seed + 1, (1, 1, 2 * heads))?;
                let changed = Tensor::cat(&[x.narrow(1, 0, seq - 1)?, last], 1)?;
                let mask = causal(seq)?;
                let given = given(spec, &own(&x), Some(&mask));
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let before = |x: &Tensor| {
                    attend(&forward, &own(x), Some(&mask))
                        .and_then(|(y, _)| y.narrow(1, 0, seq - 1))
                };
                let expected = value_or(&given, before(&x))?;
                same(&given, before(&changed), &expected, rounding(8))
            },
        )
        .property(
            Masks,
            "hidden padding changes nothing: the output is that without it",
            (1..4usize, 1..4usize, 1..4usize, 0..1000u64),
            |build, (seq_q, seq_k, padding, seed)| {
                let spec = MultiHeadSpec::new(4, 2);
                let case = draw(seed, 1, seq_q, seq_k, 4)?;
                let noise = seeded::normal(seed + 9, (1, padding, 4))?;
                let padded = [
                    case[0].clone(),
                    Tensor::cat(&[&case[1], &noise], 1)?,
                    Tensor::cat(&[&case[2], &noise], 1)?,
                ];
                let keep: Vec<u8> = (0..seq_k + padding).map(|at| u8::from(at < seq_k)).collect();
                let keep = Tensor::new(keep, &Device::Cpu)?.reshape((1, 1, 1, seq_k + padding))?;
                let given = given(spec, &padded, Some(&keep));
                let forward = value_or(&given, layer(build, spec, &params(spec, seed)?))?;
                let (expected, _) = value_or(&given, attend(&forward, &case, None))?;
                let output = attend(&forward, &padded, Some(&keep)).map(|(output, _)| output);
                same(&given, output, &expected, rounding(32))
            },
        )
        .law(
            Masks,
            "a mask of three dimensions is (heads, seq_q, seq_k), also when batch and heads are equally many",
            move |build| {
                let case = draw(4, 2, 1, 2, 8)?;
                let mask = Tensor::new(&[[[1u8, 0]], [[0, 1]]], &Device::Cpu)?;
                let given = given(small, &case, Some(&mask));
                let forward = value_or(&given, layer(build, small, &params(small, 4)?))?;
                let weights = attend(&forward, &case, Some(&mask)).map(|(_, weights)| weights);
                // One key left: a weight of 1.
                let expected = mask.to_dtype(DType::F32)?.unsqueeze(0)?.repeat((2, 1, 1, 1))?;
                same(&format!("{given}\nlooked at: weights"), weights, &expected, rounding(1))
            },
        )
        .law(
            Masks,
            "a query that may see nothing gets weights of 0, and the bias of out_proj as output",
            move |build| {
                let case = draw(3, 1, 2, 3, 8)?;
                let mask = Tensor::new(&[[0u8, 0, 0], [1, 1, 0]], &Device::Cpu)?;
                let params = params(small, 3)?;
                let given = given(small, &case, Some(&mask));
                let forward = value_or(&given, layer(build, small, &params))?;
                let (output, weights) = value_or(&given, attend(&forward, &case, Some(&mask)))?;
                let zeros = Tensor::zeros((1, 2, 3), DType::F32, &Device::Cpu)?;
                let unseeing = weights.narrow(2, 0, 1)?.squeeze(2);
                same(
                    &format!("{given}\nlooked at: weights of query 0"),
                    unseeing,
                    &zeros,
                    rounding(0),
                )?;
                let expected = params["out_proj.bias"].reshape((1, 8))?;
                let about = format!("{given}\nlooked at: output of query 0");
                same(&about, output.narrow(1, 0, 1)?.squeeze(1), &expected, rounding(1))
            },
        )
}
