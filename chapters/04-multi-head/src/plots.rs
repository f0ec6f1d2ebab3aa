//! The figures of the page.

use crate::retrieval::ONE_HEAD_LOSS;
use candle_core::{DType, Result, Tensor};
use figures::{Bars, Figure, FigureError, Heatmap, Lines};

/// The weights of one sequence, one panel per head. `weights` `(heads, seq_q, seq_k)`; a word per query and key.
pub fn heads(
    title: &str,
    weights: &Tensor,
    queries: &str,
    keys: &str,
) -> Result<Figure> {
    let heads = (0..weights.dim(0)?)
        .map(|head| Ok((format!("head {head}"), weights.get(head)?)));
    let heads = heads.collect::<Result<Vec<_>>>()?;
    let panels: Vec<_> =
        heads.iter().map(|(name, weights)| (&name[..], weights)).collect();
    maps(title, &panels, queries, keys)
}

/// Several maps of weights by name, each `(seq_q, seq_k)`; a word per query and key, separated by spaces.
pub fn maps(
    title: &str,
    maps: &[(&str, &Tensor)],
    queries: &str,
    keys: &str,
) -> Result<Figure> {
    let (queries, keys): (Vec<_>, Vec<_>) =
        (queries.split(' ').collect(), keys.split(' ').collect());
    let panel = |&(name, weights): &(&str, &Tensor)| -> Result<(String, Vec<f32>)> {
        Ok((name.into(), weights.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    };
    let panels = maps.iter().map(panel).collect::<Result<Vec<_>>>()?;
    let figure = Heatmap::grid(title, queries.len(), keys.len(), panels);
    let figure = figure.row_labels(queries).col_labels(keys).range(0, 1);
    drawn(figure.x("key").y("query").draw())
}

/// The loss of each run against the step, the mean of each `window` steps, and what one head cannot beat.
pub fn losses(runs: &[(usize, &[f32])], window: usize) -> Result<Figure> {
    let window = window.max(1);
    let steps = runs.iter().map(|(_, losses)| losses.len()).max().unwrap_or(0);
    let mut figure = Lines::new("One head cannot look at two tokens")
        .x("training step")
        .y("mean squared error")
        .y_range(0, 1);
    for (heads, losses) in runs {
        let mean = |at: usize, chunk: &[f32]| {
            (at * window + window / 2, chunk.iter().sum::<f32>() / window as f32)
        };
        let chunks = losses.chunks_exact(window).enumerate();
        let points: Vec<_> = chunks.map(|(at, chunk)| mean(at, chunk)).collect();
        let name = if *heads == 1 { "1 head".into() } else { format!("{heads} heads") };
        figure = figure.line(name, &points);
    }
    drawn(
        figure
            .theory("best for 1 head", &[(0, ONE_HEAD_LOSS), (steps, ONE_HEAD_LOSS)])
            .draw(),
    )
}

/// Milliseconds against the sequence length, and the share that a pass over n² pairs would take at the last one.
pub fn cost(measured: &[(usize, f64)]) -> Result<Figure> {
    let last = measured.last().copied().unwrap_or((1, 1.));
    let square =
        |&(seq, _): &(usize, f64)| (seq, last.1 * (seq as f64 / last.0 as f64).powi(2));
    let theory: Vec<_> = measured.iter().map(square).collect();
    let figure =
        Lines::new("Self-attention's time grows with the square of the length")
            .x("tokens")
            .y("milliseconds")
            .log2_x()
            .log2_y();
    drawn(figure.line("measured", measured).theory("n²", &theory).draw())
}

/// Cache sizes in GiB, one bar per name.
pub fn cache(sizes: &[(&str, f64)]) -> Result<Figure> {
    let figure = Bars::new("The cache shrinks with the key-value heads").x("GiB");
    drawn(
        sizes.iter().fold(figure, |figure, &(name, gib)| figure.bar(name, gib)).draw(),
    )
}

fn drawn(figure: std::result::Result<Figure, FigureError>) -> Result<Figure> {
    figure.map_err(candle_core::Error::wrap)
}
