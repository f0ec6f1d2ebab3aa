//! The figures of the page.

use candle_core::{D, Error, Result, Tensor};
use figures::{Bars, Figure, Heatmap};

/// A matrix over the words of `text`, such as scores or weights: row i is word i as a query.
///
/// `matrix` `(words, words)`, f32. Errors when the shape does not fit the words.
pub fn word_map(title: &str, text: &str, matrix: &Tensor) -> Result<Figure> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let values: Vec<f32> = matrix.to_vec2()?.concat();
    Heatmap::new(title, words.len(), words.len(), &values)
        .row_labels(words.clone())
        .col_labels(words)
        .x("key")
        .y("query")
        .print_values(2)
        .draw()
        .map_err(Error::wrap)
}

/// The weights of several lookups side by side, one bar for each word of `text`.
///
/// Each lookup has a name and weights `(words)` or `(1, words)`, f32. Errors when the shapes do not fit the words.
pub fn weight_bars(title: &str, text: &str, lookups: &[(&str, &Tensor)]) -> Result<Figure> {
    let weights = lookups
        .iter()
        .map(|(_, weights)| weights.flatten_to(D::Minus1)?.to_vec1())
        .collect::<Result<Vec<Vec<f32>>>>()?;
    let mut bars =
        Bars::new(title).x("weight").decimals(2).names(lookups.iter().map(|(name, _)| *name));
    for (at, word) in text.split_whitespace().enumerate() {
        let group: Vec<f32> = weights.iter().filter_map(|row| row.get(at).copied()).collect();
        bars = bars.group(word, &group);
    }
    bars.draw().map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn figures_name_their_words_and_refuse_shapes_that_do_not_fit() -> Result<()> {
        let matrix = Tensor::new(&[[0.5f32, 0.5], [0.25, 0.75]], &Device::Cpu)?;
        let map = word_map("weights", "river bank", &matrix)?;
        assert!(map.svg().contains("river") && map.svg().contains("0.75"));
        assert!(word_map("weights", "the river bank", &matrix).is_err());

        let row = Tensor::new(&[0.25f32, 0.75], &Device::Cpu)?;
        assert!(weight_bars("weights", "river bank", &[("soft", &row)])?.svg().contains("0.75"));
        assert!(weight_bars("weights", "the river bank", &[("soft", &row)]).is_err());
        Ok(())
    }
}
