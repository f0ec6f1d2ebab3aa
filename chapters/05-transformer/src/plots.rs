//! The figures of the page and of the command line.

use candle_core::{Error, Result, Tensor};
use figures::{Figure, Heatmap, Lines};

/// Loss against step, one line for each run, the mean of each `window` steps; the loss axis is logarithmic.
///
/// Losses that are 0 or not finite are left out: they have no place on that axis.
pub fn losses(title: &str, runs: &[(&str, &[f32])], window: usize) -> Result<Figure> {
    let window = window.max(1);
    let mut figure = Lines::new(title).x("step").y("loss, in nats per token").log_y();
    for (name, losses) in runs {
        let mean = |(at, chunk): (usize, &[f32])| {
            (
                at * window + chunk.len().div_ceil(2),
                chunk.iter().sum::<f32>() / chunk.len() as f32,
            )
        };
        let points = losses.chunks(window).enumerate().map(mean);
        let points: Vec<_> =
            points.filter(|(_, loss)| *loss > 0. && loss.is_finite()).collect();
        figure = figure.line(*name, &points);
    }
    figure.draw().map_err(Error::wrap)
}

/// Positional encodings as colours, one row per position. `positions` `(seq, d_model)`.
pub fn positions(title: &str, positions: &Tensor) -> Result<Figure> {
    let (seq, d_model) = positions.dims2()?;
    let values = positions.flatten_all()?.to_vec1::<f32>()?;
    let every = |step: usize, count: usize| {
        (0..count)
            .map(move |at| if at % step == 0 { at.to_string() } else { String::new() })
    };
    Heatmap::new(title, seq, d_model, &values)
        .row_labels(every(5, seq))
        .col_labels(every(8, d_model))
        .range(-1, 1)
        .x("number")
        .y("position")
        .draw()
        .map_err(Error::wrap)
}
