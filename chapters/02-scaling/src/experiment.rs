//! What the page measures: scores, weights and gradients against the dimension, with and without the scale.

use crate::solution::{dot_product_variance, entropy, softmax, softmax_backward};
use candle_core::{D, Result, Tensor};
use dot_products::solution::scores;

/// How a softmax over random scores looks, averaged over many queries.
#[derive(Clone, Copy, Debug)]
pub struct Softness {
    /// Entropy of the weights, in nats; ln of the number of keys when all weights are equal.
    pub entropy: f64,
    /// The largest weight of a row.
    pub largest: f64,
    /// The median over the queries of the norm of the gradient with respect to the logits, when the one with respect to
    /// the weights is drawn from the standard normal. A mean would hide the many that vanish behind the few that do not.
    pub gradient: f64,
}

/// The measurements for one dimension.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The dimension of query and key vectors.
    pub head_dim: usize,
    /// The variance of q·k.
    pub variance: f64,
    /// The softmax of q·k.
    pub plain: Softness,
    /// The softmax of q·k / √d.
    pub scaled: Softness,
}

// ANCHOR: measure
/// Draws queries and keys of standard normal numbers, and measures their scores.
pub fn measure(
    head_dim: usize,
    queries: usize,
    keys: usize,
    seed: u64, // and the three after it
) -> Result<Measurement> {
    let query = seeded::normal(seed, (queries, head_dim))?;
    let key = seeded::normal(seed + 1, (keys, head_dim))?;
    let partner = seeded::normal(seed + 2, (queries, head_dim))?;
    let plain = scores(&query, &key)?; // (queries, keys)
    let scaled = (&plain / (head_dim as f64).sqrt())?;
    Ok(Measurement {
        head_dim,
        variance: number(&dot_product_variance(&query, &partner)?)?,
        plain: softness(&plain, seed + 3)?,
        scaled: softness(&scaled, seed + 3)?,
    })
}

fn softness(logits: &Tensor, seed: u64) -> Result<Softness> {
    let weights = softmax(logits)?;
    let grad = softmax_backward(&weights, &seeded::normal(seed, logits.shape())?)?;
    Ok(Softness {
        entropy: number(&entropy(&weights)?.mean_all()?)?,
        largest: number(&weights.max(D::Minus1)?.mean_all()?)?,
        gradient: median(&grad.sqr()?.sum(D::Minus1)?.sqrt()?)?,
    })
}

// ANCHOR_END: measure

fn median(values: &Tensor) -> Result<f64> {
    let mut values = values.to_vec1::<f32>()?;
    values.sort_by(f32::total_cmp);
    Ok(values.get(values.len() / 2).copied().map_or(f64::NAN, f64::from))
}

fn number(scalar: &Tensor) -> Result<f64> {
    Ok(f64::from(scalar.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variance_grows_with_the_dimension_and_the_scale_keeps_the_softmax_soft() -> Result<()> {
        let (small, large) = (measure(4, 400, 64, 1)?, measure(256, 400, 64, 1)?);
        // Five standard errors of a variance of n draws: 5 √((2 + κ)/n), where products of normals have κ = 6/d.
        let allowed = |d: f64| 5. * ((2. + 6. / d) / 400.).sqrt();
        assert!((small.variance / 4. - 1.).abs() < allowed(4.), "{small:?}");
        assert!((large.variance / 256. - 1.).abs() < allowed(256.), "{large:?}");
        // What the page says about its figures: far apart without the scale, the same with it.
        assert!(large.plain.entropy < 0.5 * small.plain.entropy);
        assert!(large.plain.gradient < 0.5 * large.scaled.gradient);
        assert!((large.scaled.entropy - small.scaled.entropy).abs() < 0.2);
        Ok(())
    }
}
