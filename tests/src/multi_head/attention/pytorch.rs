//! A layer beside PyTorch's: output, weights and gradients.

use super::layer::{Build, Params, attend, given, layer};
use crate::{
    harness::{
        Breach, Outcome,
        compare::{rounding, same, value as value_or},
        fixtures::Fixtures,
    },
    multi_head::MultiHeadSpec,
};
use candle_core::{Result, Tensor, Var};
use std::collections::HashMap;

/// A case by PyTorch: weights, inputs, mask, and the rest of its values.
struct Reference {
    params: Params,
    inputs: [Tensor; 3],
    mask: Option<Tensor>,
    values: Params,
}

fn pytorch(case: &str) -> Result<Reference> {
    let fixtures = Fixtures::read(include_bytes!("../../../fixtures/multi_head.safetensors"))?;
    let part = |prefix: String| -> Params {
        let all = fixtures.all().into_iter();
        all.filter_map(|(name, x)| Some((name.strip_prefix(&prefix)?.to_string(), x))).collect()
    };
    let get = |name: &str| fixtures.get(&format!("{case}.{name}"));
    Ok(Reference {
        params: part(format!("{case}.param.")),
        inputs: [get("query")?, get("key")?, get("value")?],
        mask: get("mask").ok(),
        values: part(format!("{case}.")),
    })
}

/// Output and weights as PyTorch has them.
pub(super) fn equals_pytorch(build: &Build, case: &str, spec: MultiHeadSpec) -> Outcome {
    let reference = pytorch(case)?;
    let Reference { params, inputs, mask, values, .. } = &reference;
    let given = given(spec, inputs, mask.as_ref());
    let forward = value_or(&given, layer(build, spec, params))?;
    let (output, weights) = value_or(&given, attend(&forward, inputs, mask.as_ref()))?;
    // A chain of two products over 8 numbers, a softmax over 7 keys, an average and a product over 8: 64 covers them.
    same(&given, Ok(weights), &values["weights"], rounding(64))?;
    same(&given, Ok(output), &values["output"], rounding(64))
}

/// Every gradient as PyTorch has it.
pub(super) fn gradients_equal_pytorch(build: &Build, case: &str, spec: MultiHeadSpec) -> Outcome {
    let reference = pytorch(case)?;
    let Reference { params, inputs, mask, values, .. } = &reference;
    let mut vars = HashMap::new();
    for (name, x) in params {
        vars.insert(name.as_str(), Var::from_tensor(x)?);
    }
    for (name, x) in ["query", "key", "value"].iter().zip(inputs) {
        vars.insert(name, Var::from_tensor(x)?);
    }
    let tensors =
        params.keys().map(|name| (name.clone(), vars[name.as_str()].as_tensor().clone())).collect();
    let of = ["query", "key", "value"].map(|name| vars[name].as_tensor().clone());
    let given = given(spec, inputs, mask.as_ref());
    let forward = value_or(&given, layer(build, spec, &tensors))?;
    let (output, _) = value_or(&given, attend(&forward, &of, mask.as_ref()))?;
    let grads = (output * &values["grad"])?.sum_all()?.backward()?;
    let mut names: Vec<_> = vars.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        let about = format!("looked at: the gradient of {name}\n{given}");
        let Some(grad) = grads.get(&vars[name]) else {
            return Err(Breach::text(&about, "a gradient", "none: backward() finds no way to it"));
        };
        // The chain of the forward pass and back, and a sum over 14 tokens.
        same(&about, Ok(grad.clone()), &values[&format!("grad.{name}")], rounding(256))?;
    }
    Ok(())
}
