//! The page's diagram: week 2's, grown by a mask.

use crate::solution::keep_to_additive;
use candle_core::{DType, Device, Result, Tensor};
use dot_products::diagrams::{Stage, flow};
use figures::Figure;
use scaling::diagrams::scale;

/// Attention as data flow with the scale, and with a mask that hides Cid.
pub fn masked_attention() -> Result<Figure> {
    let scale = scale()?;
    let keep = Tensor::new(&[[1u8, 1, 0]], &Device::Cpu)?; // (1, 3)
    let scores = (&scale.scores + keep_to_additive(&keep, DType::F32)?)?;
    let mask = Stage {
        step: "hide where 0",
        mask: Some(keep.to_dtype(DType::F32)?),
        name: "masked",
        scores,
    };
    flow("With a mask: Cid does not count", &[scale, mask])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solution;
    use dot_products::diagrams::films;

    #[test]
    fn its_numbers_are_those_of_the_function() -> Result<()> {
        let [query, key, value] = films()?;
        let keep = Tensor::new(&[[1u8, 1, 0]], &Device::Cpu)?;
        let output = solution::masked_attention(&query, &key, &value, Some(&keep))?.0;
        let stars = format!("{:.2} stars", output.to_vec2::<f32>()?[0][0]);
        let figure = masked_attention()?;
        assert!(
            figure.alt().contains(&stars) && figure.svg().contains(">−∞</text>"),
            "{stars}"
        );
        Ok(())
    }
}
