//! Comparing functions: their values, their gradients, and the gradients with differences.

use candle_core::{DType, Device, Result, Tensor, Var};

/// A function of tensors, such as a loss by its inputs.
pub type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// A random variable.
pub fn var(seed: u64, dims: &[usize]) -> Result<Var> {
    one_thread::candle();
    Var::from_tensor(&seeded::normal(seed, dims)?)
}

/// At most `units` roundings of f32 apart, of the largest expected number (at least 1).
pub fn close(what: &str, got: &Tensor, expected: &Tensor, units: f64) -> Result<()> {
    assert_eq!(got.dims(), expected.dims(), "{what}: shapes");
    let [got, expected] = [got, expected]
        .map(|x| x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>());
    let (got, expected) = (got?, expected?);
    let size = expected.iter().fold(1f64, |size, x| size.max(x.abs()));
    for (got, expected) in got.iter().zip(&expected) {
        let apart = (got - expected).abs();
        assert!(
            apart <= units * size * f64::from(f32::EPSILON),
            "{what}: got {got}, expected {expected}"
        );
    }
    Ok(())
}

/// Outputs, and the gradients of a random weighting of them by all of `inputs`, are the same.
pub fn same(
    what: &str,
    inputs: &[Var],
    fast: Function,
    readable: Function,
    units: f64,
) -> Result<()> {
    let tensors: Vec<Tensor> =
        inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let (got, expected) = (fast(&tensors)?, readable(&tensors)?);
    close(what, &got, &expected, units)?;
    if got.elem_count() == 0 {
        return Ok(());
    }
    let weights = seeded::normal(99, got.shape())?;
    let [got, expected] =
        [got, expected].map(|out| (out * &weights)?.sum_all()?.backward());
    let (got, expected) = (got?, expected?);
    for (at, var) in inputs.iter().enumerate() {
        let grad = got
            .get(var)
            .unwrap_or_else(|| panic!("{what}: input {at} has no gradient"));
        let zeros = var.zeros_like()?;
        close(
            &format!("{what}, gradient {at}"),
            grad,
            expected.get(var).unwrap_or(&zeros),
            units,
        )?;
    }
    Ok(())
}

/// The gradients agree with central differences. Outputs are f32 and added up in f64: with a step of 1/64 the slope
/// carries roundings of some 1e-6 · 64, and what the third derivative adds is of the same size.
pub fn slopes_agree(what: &str, inputs: &[Var], function: Function) -> Result<()> {
    const STEP: f64 = 1. / 64.;
    let tensors: Vec<Tensor> =
        inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let weights = seeded::normal(99, function(&tensors)?.shape())?;
    let grads = (function(&tensors)? * &weights)?.sum_all()?.backward()?;
    let loss = |inputs: &[Tensor]| -> Result<f64> {
        let [out, weights] =
            [&function(inputs)?, &weights].map(|x| x.to_dtype(DType::F64));
        (out? * weights?)?.sum_all()?.to_scalar()
    };
    for (at, var) in inputs.iter().enumerate() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        let moved = |number: usize, by: f64| {
            let mut values = values.clone();
            values[number] += by as f32;
            let mut tensors: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
            tensors[at] = Tensor::from_vec(values, var.shape(), &Device::Cpu)?;
            loss(&tensors)
        };
        let slopes = (0..values.len())
            .map(|number| {
                Ok((moved(number, STEP)? - moved(number, -STEP)?) / (2. * STEP))
            })
            .collect::<Result<Vec<_>>>()?;
        let slopes = Tensor::from_vec(slopes, var.shape(), &Device::Cpu)?;
        let grad = grads
            .get(var)
            .unwrap_or_else(|| panic!("{what}: input {at} has no gradient"));
        close(
            &format!("{what}, slope {at}"),
            grad,
            &slopes,
            1e-3 / f64::from(f32::EPSILON),
        )?;
    }
    Ok(())
}
