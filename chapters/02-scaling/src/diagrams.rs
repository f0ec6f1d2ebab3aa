//! The page's diagram: week 1's, grown by the scale.

use candle_core::Result;
use dot_products::{
    diagrams::{Stage, films, flow},
    solution::scores,
};
use figures::Figure;

/// The step that this week adds: the scores of the films, five numbers in each, divided by √5.
pub fn scale() -> Result<Stage> {
    let [query, key, _] = films()?;
    let scores = (scores(&query, &key)? / (query.dim(1)? as f64).sqrt())?; // (1, 3)
    Ok(Stage { step: "÷ √d, here √5", mask: None, name: "scaled", scores })
}

/// Attention as data flow with the scale between the scores and the softmax.
pub fn scaled_attention() -> Result<Figure> {
    flow("With the scale: gentler weights", &[scale()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaled_dot_product_attention;

    #[test]
    fn its_numbers_are_those_of_the_function() -> Result<()> {
        let [query, key, value] = films()?;
        let (output, _) = scaled_dot_product_attention(&query, &key, &value)?;
        let stars = format!("{:.2} stars", output.to_vec2::<f32>()?[0][0]);
        assert!(scaled_attention()?.alt().contains(&stars), "{stars}");
        Ok(())
    }
}
