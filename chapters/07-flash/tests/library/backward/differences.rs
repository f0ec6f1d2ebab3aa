//! Gradients against central differences of the kernel's own output, in f64.

use super::reference::kernel;
use crate::options::{ALL, inputs, numbers, options};
use candle_core::{DType, Result, Tensor};
use flash::{Path, SdpaOptions, flash_attention};

/// Half the distance between the two points of a difference: its square times a third derivative is what the difference
/// is off by, f64's epsilon over it what rounding adds.
const STEP: f64 = 1e-5;

fn agree(case: &str, inputs: &[Tensor; 3], options: &SdpaOptions) -> Result<()> {
    let [q, k, v] = inputs;
    let grad = seeded::normal(5, flash_attention(q, k, v, options)?.shape())?;
    let grad = grad.to_dtype(DType::F64)?;
    let gradients = kernel(Path::Portable, inputs, &grad, options)?;
    for (which, gradient) in gradients.iter().enumerate() {
        let shape = inputs[which].shape();
        let at_inputs = numbers(&inputs[which])?;
        let loss = |at: usize, by: f64| -> Result<f64> {
            let (mut moved, mut inputs) = (at_inputs.clone(), inputs.clone());
            moved[at] += by;
            inputs[which] = Tensor::from_vec(moved, shape, q.device())?;
            let [q, k, v] = &inputs;
            (flash_attention(q, k, v, options)? * &grad)?.sum_all()?.to_scalar()
        };
        for (at, got) in numbers(gradient)?.into_iter().enumerate() {
            let expected = (loss(at, STEP)? - loss(at, -STEP)?) / (2. * STEP);
            let close = (got - expected).abs() <= 1e-8 * (1. + expected.abs());
            assert!(close, "{case}, {which}, {at}: got {got}, expected {expected}");
        }
    }
    Ok(())
}

#[test]
fn every_option_with_grouped_queries() -> Result<()> {
    for (seq_q, seq_k) in [(5, 7), (7, 5), (6, 6)] {
        for number in 0..ALL {
            let inputs = inputs(9, [1, 4, 2, seq_q, seq_k, 3, 2], DType::F64)?;
            let options = options(number, 4, seq_q, seq_k)?;
            agree(&format!("{seq_q}, {seq_k}, options {number}"), &inputs, &options)?;
        }
    }
    Ok(())
}

#[test]
fn more_than_one_panel() -> Result<()> {
    let inputs = inputs(9, [1, 2, 1, 9, 70, 2, 1], DType::F64)?;
    for number in [0, 2, 10, 11] {
        agree(&format!("options {number}"), &inputs, &options(number, 2, 9, 70)?)?;
    }
    Ok(())
}

#[test]
fn several_sequences_in_a_batch() -> Result<()> {
    let inputs = inputs(9, [3, 2, 2, 4, 5, 3, 4], DType::F64)?;
    agree("a batch", &inputs, &options(1, 2, 4, 5)?)
}
