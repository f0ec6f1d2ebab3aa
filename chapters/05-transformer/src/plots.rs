//! The figures of the page and of the command line.

use crate::beyond::{Losses, Positions, TRAINED, floor, windows};
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

/// What models with other positions lose at each place of a sequence: the mean over the seeds, and the band between the
/// least and the most.
pub fn beyond(title: &str, losses: &Losses) -> Result<Figure> {
    const WINDOW: usize = 8;
    let mut figure =
        Lines::new(title).x("position in the sequence").y("loss, in nats per token");
    let (mut last, mut told) = (0., vec![]);
    for positions in Positions::ALL {
        let rows = windows(losses, positions, WINDOW);
        let (mut line, mut band) = (vec![], vec![]);
        for at in 0..rows.first().map_or(0, Vec::len) {
            let losses = rows.iter().map(|row| row[at]);
            let place = (at * WINDOW) as f32 + WINDOW as f32 / 2.;
            let low = losses.clone().fold(f32::INFINITY, f32::min);
            let high = losses.clone().fold(f32::NEG_INFINITY, f32::max);
            line.push((place, losses.sum::<f32>() / rows.len() as f32));
            band.push((place, low, high));
            last = place;
        }
        let mean = |part: &[(f32, f32)]| {
            part.iter().map(|point| point.1).sum::<f32>() / part.len() as f32
        };
        let (first, beyond) = line.split_at(line.len().min(TRAINED / WINDOW));
        told.push(format!("{positions} {:.2} and {:.2}", mean(first), mean(beyond)));
        let name = positions.to_string();
        figure = figure.line(name.clone(), &line).band(name, &band);
    }
    let least = floor() as f32;
    figure
        .theory("the least possible", &[(0., least), (last, least)])
        .alt(format!(
            "{title}. Mean loss in the {TRAINED} trained positions, and beyond them: {}. The least possible is {least:.2}.",
            told.join("; ")
        ))
        .draw()
        .map_err(Error::wrap)
}
