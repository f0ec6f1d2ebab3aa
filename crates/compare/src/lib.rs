//! How far a result is from its reference: the one measure for pages, benchmarks and tests.
//!
//! It sees a NaN. `f64::max` takes the other number of two, and candle's `max_all` finds a NaN or not, depending on where
//! it stands: with either, a kernel that computes nothing but NaN has no error at all.

use candle_core::{DType, Result, Tensor, bail};

/// The largest difference of two numbers in the same place, in absolute value, computed in f64.
///
/// `ours` and `reference` have the same shape, on any device and of any type. NaN where either has a NaN. Two equal
/// infinities are no difference; nor is there one without numbers: 0. Errors when the shapes differ.
pub fn largest_error(ours: &Tensor, reference: &Tensor) -> Result<f64> {
    if ours.dims() != reference.dims() {
        let (expected, got) = (reference.dims(), ours.dims());
        bail!("expected a result of shape {expected:?}, the reference's; got {got:?}");
    }
    let numbers = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let pairs = numbers(ours)?.into_iter().zip(numbers(reference)?);
    Ok(pairs.map(|(a, b)| if a == b { 0. } else { (a - b).abs() }).fold(0., larger))
}

/// The larger of two numbers, and NaN if one of them is.
pub fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn row(numbers: &[f32]) -> Result<Tensor> {
        Tensor::new(numbers, &Device::Cpu)
    }

    #[test]
    fn the_largest_difference_counts_in_either_direction() -> Result<()> {
        let reference = row(&[1., 2., 3.])?;
        assert_eq!(largest_error(&row(&[1., 2.5, 3.])?, &reference)?, 0.5);
        assert_eq!(largest_error(&row(&[1., 2., 2.])?, &reference)?, 1.);
        assert_eq!(largest_error(&row(&[])?, &row(&[])?)?, 0.);
        Ok(())
    }

    #[test]
    fn a_nan_is_seen_wherever_it_stands() -> Result<()> {
        for at in 0..3 {
            let mut numbers = [1., 2., 3.];
            numbers[at] = f32::NAN;
            let (nan, fine) = (row(&numbers)?, row(&[1., 2., 9.])?);
            assert!(largest_error(&nan, &fine)?.is_nan(), "ours, at {at}");
            assert!(largest_error(&fine, &nan)?.is_nan(), "the reference, at {at}");
            assert!(largest_error(&nan, &nan)?.is_nan(), "both, at {at}");
        }
        Ok(())
    }

    #[test]
    fn infinities_are_equal_or_infinitely_far() -> Result<()> {
        let low = row(&[f32::NEG_INFINITY])?;
        assert_eq!(largest_error(&low, &low)?, 0.);
        assert_eq!(largest_error(&low, &row(&[f32::INFINITY])?)?, f64::INFINITY);
        assert_eq!(largest_error(&row(&[0.])?, &low)?, f64::INFINITY);
        Ok(())
    }

    #[test]
    fn small_differences_of_half_precision_are_not_rounded_away() -> Result<()> {
        let (half, reference) = (row(&[2049.])?.to_dtype(DType::F16)?, row(&[2049.])?);
        assert_eq!(largest_error(&half, &reference)?, 1.); // f16 has no 2049
        Ok(())
    }

    #[test]
    fn shapes_that_differ_are_an_error_though_they_broadcast() -> Result<()> {
        let error = largest_error(&row(&[1.])?, &row(&[1., 2.])?).unwrap_err().to_string();
        assert!(error.contains("expected a result of shape [2]"), "{error}");
        Ok(())
    }
}
