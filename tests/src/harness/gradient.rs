//! Gradients: they reach every input, are finite, and agree with finite differences.

use super::{
    compare::{Breach, Outcome, all_finite, index, value},
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
    let lost = |at: &usize| grads.get(&vars[*at]).is_none();
    let lost: Vec<String> =
        (0..named.len()).filter(lost).map(|at| format!("`{}`", named[at].0)).collect();
    if !lost.is_empty() {
        let all: Vec<String> = named.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(Breach::text(
            &given,
            &format!("a gradient with respect to {}", all.join(", ")),
            &format!("none for {}: no path leads there from the output", lost.join(", ")),
        ));
    }
    for (at, (name, _)) in named.iter().enumerate() {
        let Some(grad) = grads.get(&vars[at]) else { continue };
        let what = format!("the gradient with respect to `{name}`");
        all_finite(&given, &format!("finite values in {what}"), grad)?;
        let numeric = central_differences(&in_f64, at, loss)?;
        all_finite(
            &given,
            &format!("finite outputs around the input, to estimate {what}"),
            &numeric,
        )?;
        close(&given, &what, grad, &numeric)?;
    }
    Ok(())
}

/// The law that a gradient of `output` reaches `var`, the input `name`, and is finite: for places where differences
/// cannot tell what is right.
pub fn gradient_is_finite(given: &str, name: &str, var: &Var, output: &Tensor) -> Outcome {
    let what = format!("gradient with respect to `{name}`");
    match output.sum_all()?.backward()?.get(var) {
        Some(grad) => all_finite(given, &format!("finite values in the {what}"), grad),
        None => Err(Breach::text(
            given,
            &format!("a {what}"),
            "none: no path leads there from the output",
        )),
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

fn close(given: &str, what: &str, got: &Tensor, expected: &Tensor) -> Outcome {
    let (mut digits, mut note) = (show::DIGITS, "the shape differs".to_owned());
    if got.dims() == expected.dims() {
        let (ours, theirs) = (show::values(got)?, show::values(expected)?);
        let largest = theirs.iter().fold(1f64, |max, x| max.max(x.abs()));
        let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-8 * largest;
        let Some(at) = ours.iter().zip(&theirs).position(far) else {
            return Ok(());
        };
        digits = show::digits_apart(theirs[at], ours[at]);
        let [expected, ours] = show::numbers_apart(theirs[at], ours[at]);
        note = format!("differs at {:?}: expected {expected}, got {ours}", index(at, got.dims()));
    }
    Err(Breach::text(
        given,
        &format!("{what}, by central differences: {}", show::tensor_to(expected, digits)),
        &format!("{what}, by backward(): {}\n({note})", show::tensor_to(got, digits)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn breach(output: impl Fn(&[Tensor]) -> Result<Tensor>) -> Breach {
        let x = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu).unwrap();
        gradients_agree(&[("x", &x), ("y", &x)], output).unwrap_err()
    }

    #[test]
    fn every_input_that_gets_no_gradient_is_named() {
        let breach = breach(|xs| xs[0].detach() * xs[1].detach());
        assert!(breach.got.starts_with("none for `x`, `y`:"), "{breach}");
    }

    #[test]
    fn a_gradient_is_called_one_and_shown_with_its_values() {
        // The root of a square has the gradient 0 / 0 at 0.
        let not_finite = breach(|xs| (&xs[0] - &xs[0])?.sqr()?.sqrt()? + &xs[1]);
        assert_eq!(not_finite.expected, "finite values in the gradient with respect to `x`");
        assert!(not_finite.got.starts_with("[2, 3] f64\n  [ NaN"), "{not_finite}");
        let wrong = breach(|xs| (&xs[0] * &xs[1])? + xs[0].detach() * &xs[0]);
        let says = "the gradient with respect to `x`, by";
        assert!(wrong.expected.starts_with(&format!("{says} central differences: [2, 3] f64")));
        assert!(wrong.got.starts_with(&format!("{says} backward(): [2, 3] f64")), "{wrong}");
        assert!(wrong.brief().starts_with("differs at [0, 0]: expected "), "{wrong}");
    }
}
