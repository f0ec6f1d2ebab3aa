//! Random tensors that come out the same on every machine.
//!
//! candle cannot seed its CPU generator, so every random number of the course is drawn here, from a ChaCha
//! stream whose values are fixed by its specification, and handed to [`Tensor::from_vec`].

use candle_core::{Device, Result, Shape, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

/// Draws from the standard normal distribution (mean 0, variance 1): `shape`, f32, on the CPU.
pub fn normal(seed: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    draw::<f32>(seed, shape.into(), StandardNormal)
}

/// Draws uniformly from `[0, 1)`: `shape`, f32, on the CPU.
pub fn uniform(seed: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    draw::<f32>(seed, shape.into(), StandardUniform)
}

fn draw<T: candle_core::WithDType>(
    seed: u64,
    shape: Shape,
    from: impl Distribution<T>,
) -> Result<Tensor> {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<T> = from.sample_iter(rng).take(shape.elem_count()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_tensor() -> Result<()> {
        let first = normal(7, (2, 3))?.to_vec2::<f32>()?;
        assert_eq!(first, normal(7, (2, 3))?.to_vec2::<f32>()?);
        assert_ne!(first, normal(8, (2, 3))?.to_vec2::<f32>()?);
        Ok(())
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() -> Result<()> {
        let draws = normal(1, 100_000)?;
        let mean = draws.mean_all()?.to_scalar::<f32>()?;
        let variance = draws.sqr()?.mean_all()?.to_scalar::<f32>()? - mean * mean;
        // Five standard errors: 1/√n for the mean, √(2/n) for the variance.
        assert!(mean.abs() < 5. / 100_000f32.sqrt(), "mean {mean}");
        assert!((variance - 1.).abs() < 5. * (2. / 100_000f32).sqrt(), "variance {variance}");
        Ok(())
    }

    #[test]
    fn uniform_draws_stay_in_range() -> Result<()> {
        let draws = uniform(1, 1000)?.to_vec1::<f32>()?;
        assert!(draws.iter().all(|x| (0. ..1.).contains(x)));
        Ok(())
    }
}
