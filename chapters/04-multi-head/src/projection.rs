//! A linear layer on `(batch, seq, dim)`.

use candle_core::{Result, Tensor};
use candle_nn::Linear;
use dot_products::matmul::matmul;

// ANCHOR: project
/// `x·Wᵀ + b`, token by token. `x` `(batch, seq, in)` → `(batch, seq, out)`.
///
/// All tokens of the batch go through one matrix product. candle's own `Linear` copies its weight for every batch entry
/// when `x` is not contiguous. Errors when `x` has not three dimensions or another `in`.
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

    #[test]
    fn agrees_with_candles_linear() -> Result<()> {
        let layer = Linear::new(seeded::normal(1, (3, 4))?, Some(seeded::normal(2, 3)?));
        let x = seeded::normal(3, (2, 4, 5))?.transpose(1, 2)?; // (2, 5, 4), not contiguous
        let apart = (project(&layer, &x)? - layer.forward(&x)?)?.abs()?;
        assert!(apart.max_all()?.to_scalar::<f32>()? < 1e-5);
        Ok(())
    }

    #[test]
    fn no_tokens_give_no_tokens() -> Result<()> {
        let layer = Linear::new(seeded::normal(1, (3, 4))?, Some(seeded::normal(2, 3)?));
        let none = seeded::normal(3, (2, 0, 4))?;
        assert_eq!(project(&layer, &none)?.dims(), [2, 0, 3]);
        Ok(())
    }
}
