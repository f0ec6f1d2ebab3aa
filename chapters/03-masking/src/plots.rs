//! The figures of the page.

use crate::{Align, solution::causal_mask};
use candle_core::{DType, Device, Error, Result, Tensor};
use figures::{Figure, Heatmap};

/// A keep-mask `(seq_q, seq_k)`: a dot where a query may attend, a cross where it may not.
pub fn mask(title: &str, keep: &Tensor) -> Result<Figure> {
    let (rows, columns) = keep.dims2()?;
    Heatmap::new(title, rows, columns, &keep.flatten_all()?.to_vec1::<u8>()?)
        .mask()
        .x("key")
        .y("query")
        .draw()
        .map_err(Error::wrap)
}

/// The causal mask in both alignments, side by side.
pub fn alignments(seq_q: usize, seq_k: usize) -> Result<Figure> {
    let values = |align| -> Result<Vec<u8>> {
        causal_mask(seq_q, seq_k, align, &Device::Cpu)?.flatten_all()?.to_vec1()
    };
    let panels = [
        ("top-left", values(Align::TopLeft)?),
        ("bottom-right", values(Align::BottomRight)?),
    ];
    Heatmap::grid(format!("{seq_q} queries, {seq_k} keys: two causal masks"), seq_q, seq_k, panels)
        .mask()
        .x("key")
        .y("query")
        .alt(format!(
            "Two causal masks of {seq_q} queries and {seq_k} keys. Top-left: query 0 sees key 0 alone. Bottom-right: the \
             last query sees every key."
        ))
        .draw()
        .map_err(Error::wrap)
}

/// Weights `(words, words)` of one sentence under several masks, by name, with its words at rows and columns.
pub fn weights(
    title: &str,
    sentence: &str,
    panels: &[(&str, &Tensor)],
) -> Result<Figure> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let values = |weights: &Tensor| {
        weights.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()
    };
    let panels = panels
        .iter()
        .map(|&(name, weights)| Ok((name, values(weights)?)))
        .collect::<Result<Vec<_>>>()?;
    Heatmap::grid(title, words.len(), words.len(), panels)
        .row_labels(words.iter().copied())
        .col_labels(words.iter().copied())
        .x("key")
        .y("query")
        .range(0, 1)
        .draw()
        .map_err(Error::wrap)
}
