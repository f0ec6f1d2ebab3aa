//! What the diagrams say.

use candle_core::Result;
use flash::diagrams::{running_state, tiles};

#[test]
fn ten_of_sixteen_tiles_are_visited() -> Result<()> {
    let figure = tiles()?;
    assert!(figure.alt().contains("numbered 1 to 10"));
    assert_eq!(figure.svg().matches(">skip</text>").count(), 6);
    Ok(())
}

#[test]
fn the_state_ends_in_the_softmax_over_all_keys() -> Result<()> {
    let scores = [1f64, 2., 4., 1., 3., 3.];
    let values = [8., 6., 2., 4., 0., 5.];
    let sum: f64 = scores.iter().map(|score| score.exp()).sum();
    let output: f64 = scores.iter().zip(values).map(|(score, value)| score.exp() * value).sum();
    let expected = format!("a / l = {:.2}", output / sum);
    assert!(running_state()?.alt().contains(&expected), "{expected}");
    Ok(())
}
