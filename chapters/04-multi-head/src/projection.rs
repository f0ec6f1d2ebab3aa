//! A linear layer on `(batch, seq, dim)`.

use candle_core::{Result, Tensor};
use candle_nn::Linear;
use dot_products::matmul::matmul;

// ANCHOR: project
/// `x·Wᵀ + b`, token by token. `x` `(batch, seq, in)` → `(batch, seq, out)`.
///
/// All tokens of the batch go through one matrix product: candle 0.11.1's own
/// `Linear` gives wrong numbers for a batch that is a transposed view. Errors
/// unless `x` has three dimensions, the last of size `in`.
pub fn project(layer: &Linear, x: &Tensor) -> Result<Tensor> {
    let (batch, seq, dim) = x.dims3()?;
    let weight = layer.weight(); // (out, in)
    let tokens = x.reshape((batch * seq, dim))?;
    let mut out = matmul(&tokens, &weight.t()?)?; // (batch·seq, out)
    if let Some(bias) = layer.bias() {
        out = out.broadcast_add(bias)?;
    }
    out.reshape((batch, seq, weight.dim(0)?))
}
// ANCHOR_END: project

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Module;

    /// A layer, a batch that is a transposed view, and how far a result is from the sums taken one by one.
    fn case() -> Result<(Linear, Tensor, impl Fn(Tensor) -> Result<f64>)> {
        let layer =
            Linear::new(seeded::normal(1, (3, 4))?, Some(seeded::normal(2, 3)?));
        let x = seeded::normal(3, (2, 4, 5))?.transpose(1, 2)?; // (2, 5, 4)
        let products = x.unsqueeze(2)?.broadcast_mul(layer.weight())?; // (2, 5, 3, 4)
        let expected = products.sum(3)?.broadcast_add(&seeded::normal(2, 3)?)?;
        let apart = move |out: Tensor| compare::largest_error(&out, &expected);
        Ok((layer, x, apart))
    }

    #[test]
    fn a_transposed_batch_is_projected_right() -> Result<()> {
        let (layer, x, apart) = case()?;
        assert!(apart(project(&layer, &x)?)? < 1e-5);
        Ok(())
    }

    /// Why this module exists. When this test fails after an update, candle's `Linear` has been fixed: use that.
    #[test]
    fn candles_linear_is_wrong_on_a_transposed_batch() -> Result<()> {
        let (layer, x, apart) = case()?;
        assert!(apart(layer.forward(&x.contiguous()?)?)? < 1e-5);
        assert!(apart(layer.forward(&x)?)? > 1.);
        Ok(())
    }

    #[test]
    fn no_tokens_give_no_tokens() -> Result<()> {
        let (layer, ..) = case()?;
        let none = seeded::normal(3, (2, 0, 4))?;
        assert_eq!(project(&layer, &none)?.dims(), [2, 0, 3]);
        Ok(())
    }
}
