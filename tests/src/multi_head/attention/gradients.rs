//! What is computed in f64, and every gradient.

use super::{
    layer::{Build, PROJECTIONS, Params, attend, draw, given, in_f64, layer, params},
    pytorch::gradients_equal_pytorch,
};
use crate::{
    harness::{
        Breach, Check,
        Group::Gradients,
        compare::{finite, rounding, same, value as value_or},
        gradient::gradients_agree,
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{D, DType, Device, Result, Tensor, Var};

/// Output and weights in the type of `params`, head by head, of a layer without biases and with a head of its own for
/// each key and value.
fn reference(spec: MultiHeadSpec, params: &Params, case: &[Tensor; 3]) -> Result<(Tensor, Tensor)> {
    let head_dim = spec.head_dim();
    let project = |at: usize, x: &Tensor| {
        x.squeeze(0)?.matmul(&params[&format!("{}.weight", PROJECTIONS[at])].t()?)
    };
    let [query, key, value] = [project(0, &case[0])?, project(1, &case[1])?, project(2, &case[2])?];
    let (mut outputs, mut maps) = (Vec::new(), Vec::new());
    for head in 0..spec.num_heads {
        let of = |x: &Tensor| x.narrow(1, head * head_dim, head_dim)?.contiguous();
        let scores = (of(&query)?.matmul(&of(&key)?.t()?)? / (head_dim as f64).sqrt())?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        outputs.push(weights.matmul(&of(&value)?)?);
        maps.push(weights);
    }
    let output = project(3, &Tensor::cat(&outputs, 1)?.unsqueeze(0)?)?;
    Ok((output.unsqueeze(0)?, Tensor::stack(&maps, 0)?.unsqueeze(0)?))
}

pub(super) fn laws(check: Check<Build>) -> Check<Build> {
    let small = MultiHeadSpec::new(8, 2);
    check
        .law(
            Gradients,
            "f64 weights and inputs are computed in f64, without a detour through f32; gradients are compared in f64",
            |build| {
                // √5 is not an f32: rounded to one, it is off by 1.5e-8 of its size.
                let spec = MultiHeadSpec::new(10, 2).without_bias();
                let params = in_f64(params(spec, 10)?)?;
                let [query, key, value] = draw(10, 1, 2, 3, 10)?.map(|x| x.to_dtype(DType::F64));
                let case = [query?, key?, value?];
                let (output, weights) = reference(spec, &params, &case)?;
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &params))?;
                let (ours, our_weights) = value_or(&given, attend(&forward, &case, None))?;
                same(&format!("{given}\nlooked at: weights"), Ok(our_weights), &weights, rounding(64))?;
                same(&format!("{given}\nlooked at: output"), Ok(ours), &output, rounding(64))
            },
        )
        .law(
            Gradients,
            "every input and every variable has PyTorch's gradient",
            move |build| {
                gradients_equal_pytorch(build, "self", small)?;
                gradients_equal_pytorch(build, "no_bias", small.without_bias())?;
                gradients_equal_pytorch(build, "cross", small)?;
                gradients_equal_pytorch(build, "mask", small)?;
                gradients_equal_pytorch(build, "padding", small)?;
                gradients_equal_pytorch(build, "grouped", MultiHeadSpec::grouped(8, 4, 2))?;
                gradients_equal_pytorch(build, "multi_query", MultiHeadSpec::grouped(8, 4, 1))
            },
        )
        .law(
            Gradients,
            "no variable is left out: each has a finite gradient that is not 0, except k_proj.bias",
            // A bias of the keys adds q·b to all scores of a query alike, and softmax does not see it: 0 is right there.
            |build| {
                let spec = MultiHeadSpec::grouped(8, 4, 2).with_dropout(0.25);
                let case = draw(6, 2, 3, 4, 8)?;
                let mut vars: Vec<(String, Var)> = Vec::new();
                for (name, x) in params(spec, 6)? {
                    vars.push((name, Var::from_tensor(&x)?));
                }
                vars.sort_by(|(a, _), (b, _)| a.cmp(b));
                let tensors: Params = vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
                let given = given(spec, &case, None);
                let forward = value_or(&given, layer(build, spec, &tensors))?;
                let [query, key, value] = &case;
                for (train, (name, var)) in [false, true].into_iter().flat_map(|train| vars.iter().map(move |var| (train, var))) {
                    let given = format!("{given}\ntrain: {train}");
                    let (output, _) = value_or(&given, forward(query, key, value, None, false, train))?;
                    let grads = output.sqr()?.sum_all()?.backward()?;
                    let about = format!("looked at: the gradient of {name}\n{given}");
                    let Some(grad) = grads.get(var) else {
                        return Err(Breach::text(&about, "a gradient", "none: backward() finds no way to it"));
                    };
                    finite(&about, Ok(grad.clone()))?;
                    let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
                    if size == 0. && name != "k_proj.bias" {
                        return Err(Breach::text(&about, "not all 0", "zeros"));
                    }
                }
                Ok(())
            },
        )
        .law(
            Gradients,
            "gradients of query, key and value agree with finite differences under a mask with an empty row",
            |build| {
                let spec = MultiHeadSpec::new(4, 2);
                let [query, key, value] = draw(7, 1, 2, 3, 4)?;
                let mask = Tensor::new(&[[0u8, 0, 0], [1, 0, 1]], &Device::Cpu)?;
                let forward = layer(build, spec, &in_f64(params(spec, 7)?)?)?;
                gradients_agree(
                    &[("query", &query), ("key", &key), ("value", &value)],
                    |inputs| {
                        let case = [inputs[0].clone(), inputs[1].clone(), inputs[2].clone()];
                        Ok(attend(&forward, &case, Some(&mask))?.0)
                    },
                )
            },
        )
        .law(
            Gradients,
            "gradients go through the returned weights too: a loss may be computed from them",
            |build| {
                let spec = MultiHeadSpec::new(4, 2);
                let [query, key, value] = draw(19, 1, 2, 3, 4)?;
                let value = value.to_dtype(DType::F64)?;
                let forward = layer(build, spec, &in_f64(params(spec, 19)?)?)?;
                gradients_agree(&[("query", &query), ("key", &key)], |inputs| {
                    let case = [inputs[0].clone(), inputs[1].clone(), value.clone()];
                    Ok(attend(&forward, &case, None)?.1)
                })
            },
        )
        .law(Gradients, "the gradient reaches an additive mask: a bias may be learned", |build| {
            let spec = MultiHeadSpec::new(4, 2);
            let [query, key, value] = draw(23, 1, 2, 3, 4)?.map(|x| x.to_dtype(DType::F64));
            let case = [query?, key?, value?];
            let forward = layer(build, spec, &in_f64(params(spec, 23)?)?)?;
            let bias = seeded::normal(24, (2, 2, 3))?;
            gradients_agree(&[("attn_mask", &bias)], |inputs| {
                Ok(attend(&forward, &case, Some(&inputs[0]))?.0)
            })
            .map_err(|breach| Breach {
                given: format!("{}\n{}", given(spec, &case, None), breach.given),
                ..breach
            })
        })
}
