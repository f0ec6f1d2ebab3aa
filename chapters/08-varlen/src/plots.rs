//! The figures of the page.

use crate::solution::document_mask;
use candle_core::{Error, Result, Tensor};
use figures::{Bars, Figure, Heatmap};

/// Three ways for two threads to share sequences of 1, 1, 2, 2 and 3 blocks.
pub const PLANS: [(&str, &[&[usize]]); 3] = [
    ("in halves", &[&[1, 1], &[2, 2, 3]]),
    ("as they come", &[&[1, 2, 3], &[1, 2]]),
    ("longest first", &[&[3], &[2, 2, 1, 1]]),
];

/// A padded batch, one bar per sequence: real tokens, and the padding behind them.
pub fn padding(title: &str, lengths: &[usize]) -> Result<Figure> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut bars = Bars::new(title).names(["real tokens", "padding"]).stacked();
    for (at, &length) in lengths.iter().enumerate() {
        // Every fourth is enough to count by.
        let label = if at % 4 == 0 { at.to_string() } else { String::new() };
        bars = bars.group(label, &[length, longest - length]);
    }
    let real: usize = lengths.iter().sum();
    bars.x(format!("tokens; a row is a sequence, padded to {longest}"))
        .alt(format!(
            "{} bars of {longest} tokens, one per sequence. Together {real} tokens are real and {} are padding.",
            lengths.len(),
            lengths.len() * longest - real,
        ))
        .draw()
        .map_err(Error::wrap)
}

/// Who may attend to whom in a packed batch, without and with a causal mask.
pub fn documents(cu_seqlens: &Tensor) -> Result<Figure> {
    let values =
        |causal| -> Result<Vec<u8>> { document_mask(cu_seqlens, causal)?.flatten_all()?.to_vec1() };
    let total = cu_seqlens.to_vec1::<u32>()?.last().map_or(0, |&end| end as usize);
    let panels = [("bidirectional", values(false)?), ("causal", values(true)?)];
    Heatmap::grid("Document masks: one block per sequence", total, total, panels)
        .mask()
        .x("key")
        .y("query")
        .alt(format!(
            "Two masks of {total} by {total} cells. Bidirectional: square blocks of allowed pairs along the diagonal, one per \
             sequence. Causal: of each block the lower triangle. All pairs of two sequences are hidden."
        ))
        .draw()
        .map_err(Error::wrap)
}

/// Who works on what when: for each plan, each thread's sequences by length, in order. A sequence of n blocks
/// takes n² units of time.
pub fn time_lines(title: &str, plans: &[(&str, &[&[usize]])]) -> Result<Figure> {
    let time = |thread: &[usize]| thread.iter().map(|n| n * n).sum::<usize>();
    let threads = || plans.iter().flat_map(|(name, plan)| plan.iter().map(move |&one| (name, one)));
    let end = threads().map(|(_, thread)| time(thread)).max().unwrap_or(0);
    let (mut values, mut labels, mut alt) = (vec![], vec![], vec![]);
    for (name, plan) in plans {
        for (at, thread) in plan.iter().enumerate() {
            values.extend(thread.iter().flat_map(|&n| vec![n; n * n]));
            values.extend(vec![0; end - time(thread)]);
            labels.push(format!("{name}, {at}"));
        }
        let last = plan.iter().map(|thread| time(thread)).max().unwrap_or(0);
        alt.push(format!("{name}: done after {last}"));
    }
    Heatmap::new(title, labels.len(), end, &values)
        .row_labels(labels)
        .x("time")
        .y("plan, thread")
        .print_values(0)
        .alt(format!("Time lines of threads that share sequences out. {}.", alt.join("; ")))
        .draw()
        .map_err(Error::wrap)
}
