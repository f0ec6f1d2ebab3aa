//! Gradients: they reach every input, are finite, and agree with finite differences.

use super::{
    compare::{Breach, Outcome, finite, value},
    show,
};
use candle_core::{DType, Result, Tensor, Var};

/// The law that gradients of `output` reach every named input, are finite, and agree with central differences.
///
/// Everything is computed in f64. The loss is the sum of `output` times fixed random numbers: a plain sum would hide
/// errors, since softmax rows always sum to one. Central differences with step h = 1e-5 are off by h²/6 = 2e-11 times the
/// third derivative and 2⁻⁵²/h = 2e-11 times the loss from rounding. Both factors stay below 100 here: 1e-8 allows for it
/// with room for a factor of 2.5.
pub fn gradients_agree(
    named: &[(&str, &Tensor)],
    output: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Outcome {
    let given = show::inputs(named);
    let in_f64 = named.iter().map(|(_, x)| x.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
    let vars = in_f64.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let as_f64 = format!("{given}\n(as f64: gradients are compared in f64)");
    let shape = value(&as_f64, output(&in_f64))?.shape().clone();
    let weights = seeded::normal(99, shape)?.to_dtype(DType::F64)?;
    let loss = |inputs: &[Tensor]| (output(inputs)? * &weights)?.sum_all();
    let grads = loss(&tensors)?.backward()?;
    for (at, (name, _)) in named.iter().enumerate() {
        let Some(grad) = grads.get(&vars[at]) else {
            return Err(Breach::text(
                &given,
                &format!("a gradient for `{name}`"),
                "none: backward() finds no way from the output to it",
            ));
        };
        finite(&given, Ok(grad.clone()))?;
        let numeric = central_differences(&in_f64, at, loss)?;
        finite(&given, Ok(numeric.clone()))?;
        close(&format!("gradient of `{name}`, inputs:\n{given}"), grad, &numeric)?;
    }
    Ok(())
}

/// The law that a gradient of `output` reaches `var`, the input `name`, and is finite: for places where differences
/// cannot tell what is right.
pub fn gradient_is_finite(given: &str, name: &str, var: &Var, output: &Tensor) -> Outcome {
    match output.sum_all()?.backward()?.get(var) {
        Some(grad) => {
            finite(&format!("{given}\nlooked at: the gradient of `{name}`"), Ok(grad.clone()))
        }
        None => Err(Breach::text(given, &format!("a gradient for `{name}`"), "none")),
    }
}

fn central_differences(
    inputs: &[Tensor],
    at: usize,
    loss: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Tensor> {
    const STEP: f64 = 1e-5;
    let values = inputs[at].flatten_all()?.to_vec1::<f64>()?;
    let shape = inputs[at].shape();
    let mut slopes = Vec::with_capacity(values.len());
    for moved in 0..values.len() {
        let loss_at = |by: f64| -> Result<f64> {
            let mut values = values.clone();
            values[moved] += by;
            let mut inputs = inputs.to_vec();
            inputs[at] = Tensor::from_vec(values, shape, inputs[at].device())?;
            loss(&inputs)?.to_scalar()
        };
        slopes.push((loss_at(STEP)? - loss_at(-STEP)?) / (2. * STEP));
    }
    Tensor::from_vec(slopes, shape, inputs[at].device())
}

fn close(given: &str, got: &Tensor, expected: &Tensor) -> Outcome {
    let mut digits = show::DIGITS;
    if got.dims() == expected.dims() {
        let (ours, theirs) = (show::values(got)?, show::values(expected)?);
        let largest = theirs.iter().fold(1f64, |max, x| max.max(x.abs()));
        let far = |&(&a, &b): &(&f64, &f64)| (a - b).abs() > 1e-8 * largest;
        let Some((&got, &expected)) = ours.iter().zip(&theirs).find(far) else {
            return Ok(());
        };
        digits = show::digits_apart(expected, got);
    }
    Err(Breach::text(
        given,
        &format!("{}\n(by central differences)", show::tensor_to(expected, digits)),
        &format!("{}\n(by backward())", show::tensor_to(got, digits)),
    ))
}
