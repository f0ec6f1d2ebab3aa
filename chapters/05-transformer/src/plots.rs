//! The figures of the page and of the command line.

use candle_core::{Error, Result};
use figures::{Figure, Lines};

/// Loss against step, one line for each run, the mean of each `window` steps; the loss axis is logarithmic.
///
/// Losses that are 0 or not finite are left out: they have no place on that axis.
pub fn losses(title: &str, runs: &[(&str, &[f32])], window: usize) -> Result<Figure> {
    let window = window.max(1);
    let mut figure = Lines::new(title).x("step").y("loss, in nats a token").log_y();
    for (name, losses) in runs {
        let mean = |(at, chunk): (usize, &[f32])| {
            (at * window + chunk.len().div_ceil(2), chunk.iter().sum::<f32>() / chunk.len() as f32)
        };
        let points = losses.chunks(window).enumerate().map(mean);
        let points: Vec<_> = points.filter(|(_, loss)| *loss > 0. && loss.is_finite()).collect();
        figure = figure.line(*name, &points);
    }
    figure.draw().map_err(Error::wrap)
}
