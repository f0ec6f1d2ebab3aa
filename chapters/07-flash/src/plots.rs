//! The figures of the page.

use crate::kernel::Real;
use crate::solution::{lse, online_softmax, tiled_traffic};
use candle_core::{Result, bail};
use figures::{Bars, Figure, FigureError, Heatmap, Lines};

/// The online softmax on its way through `scores`: each score, and after it the maximum and the log-sum-exp so far.
pub fn online(scores: &[f32]) -> Result<Figure> {
    let (mut tops, mut sums) = (vec![], vec![]);
    for seen in 1..=scores.len() {
        let (m, l) = online_softmax(&scores[..seen]);
        tops.push((seen, m));
        sums.push((seen, lse(m, l)));
    }
    let points: Vec<_> = (1..).zip(scores.iter().copied()).collect();
    let figure = Lines::new("What one pass knows after each score").x("scores seen").y("score");
    drawn(
        figure.line("m + ln l", &sums).line("m", &tops).points("the score itself", &points).draw(),
    )
}

/// The numbers that travel when all scores are written to memory: queries, keys, values and outputs once; scores
/// written, read by the softmax, its weights written, and read by the product with the values.
///
/// `seq` queries and as many keys, `d` numbers in each query, key, value and output.
pub fn naive_traffic(seq: usize, d: usize) -> usize {
    4 * seq * d + 4 * seq * seq
}

/// Megabytes of one head that travel, in f32, against the length: naive, and with `blocks` queries in a block.
pub fn traffic(d: usize, lengths: &[usize], blocks: &[usize]) -> Result<Figure> {
    let line = |of: &dyn Fn(usize) -> Result<usize>| -> Result<Vec<_>> {
        lengths.iter().map(|&seq| Ok((seq, megabytes(of(seq)?)))).collect()
    };
    let naive = line(&|seq| Ok(naive_traffic(seq, d)))?;
    let mut figure =
        Lines::new("What travels between memory and cache").x("tokens").y("megabytes, one head");
    figure = figure.log2_x().log_y().line("all scores in memory", &naive);
    for &block in blocks {
        let name =
            if block == 1 { "row by row".into() } else { format!("blocks of {block} queries") };
        figure = figure.line(name, &line(&|seq| tiled_traffic(seq, d, block))?);
    }
    let least = line(&|seq| Ok(4 * seq * d))?;
    drawn(figure.theory("inputs and outputs", &least).draw())
}

/// Megabytes of one head that travel, in f32, one bar for each number of queries in a block, and one for naive.
pub fn traffic_by_block(seq: usize, d: usize, blocks: &[usize]) -> Result<Figure> {
    let title = format!("What travels for {seq} tokens");
    let mut figure = Bars::new(title).x("megabytes, one head").decimals(0);
    figure = figure.bar("all scores in memory", megabytes(naive_traffic(seq, d)));
    for &block in blocks {
        let name =
            if block == 1 { "row by row".into() } else { format!("blocks of {block} queries") };
        figure = figure.bar(name, megabytes(tiled_traffic(seq, d, block)?));
    }
    drawn(figure.draw())
}

fn megabytes(numbers: usize) -> f64 {
    (numbers * size_of::<f32>()) as f64 / 1e6
}

/// Of each tile of a causal attention, bottom-right, the share of its pairs that are seen: 0 is skipped, 1 needs no mask.
///
/// Errors when a length or a block is 0.
pub fn tile_map(
    (seq_q, seq_k): (usize, usize),
    (block_q, block_k): (usize, usize),
) -> Result<Figure> {
    if [seq_q, seq_k, block_q, block_k].contains(&0) {
        bail!(
            "tile_map: expected lengths and blocks above 0; got ({seq_q}, {seq_k}), ({block_q}, {block_k})"
        );
    }
    let starts = |len: usize, block: usize| (0..len).step_by(block);
    let name = move |start: usize, len: usize, block: usize| {
        format!("{start}–{}", (start + block).min(len) - 1)
    };
    let mut shares = vec![];
    for query in starts(seq_q, block_q) {
        for key in starts(seq_k, block_k) {
            let queries = query..(query + block_q).min(seq_q);
            let keys = key..(key + block_k).min(seq_k);
            let pairs = queries.len() * keys.len();
            let seen = queries
                .map(|query| (query + 1 + seq_k).saturating_sub(seq_q + keys.start).min(keys.len()))
                .sum::<usize>();
            shares.push(seen as f32 / pairs as f32);
        }
    }
    let (rows, cols) = (starts(seq_q, block_q).count(), starts(seq_k, block_k).count());
    drawn(
        Heatmap::new("The share of each tile that is seen", rows, cols, &shares)
            .row_labels(starts(seq_q, block_q).map(|at| name(at, seq_q, block_q)))
            .col_labels(starts(seq_k, block_k).map(|at| name(at, seq_k, block_k)))
            .x("keys")
            .y("queries")
            .range(0, 1)
            .print_values(2)
            .draw(),
    )
}

/// How far the kernel's 2ˣ is from the true one, relative to it, for x from `low` to `high`, at `count` places.
pub fn exp2_error(low: f32, high: f32, count: usize) -> Result<Figure> {
    const UNIT: f64 = 1e-7;
    let place = |at: usize| low + (high - low) * at as f32 / count.max(1) as f32;
    let error = |x: f32| (f64::from(Real::exp2(x)) / f64::from(x).exp2() - 1.).abs() / UNIT;
    let points: Vec<_> = (0..=count).map(|at| (place(at), error(place(at)))).collect();
    let epsilon = f64::from(f32::EPSILON) / UNIT;
    let figure = Lines::new("How far the kernel's 2ˣ is from the true one")
        .x("x")
        .y("relative error, times 10⁻⁷")
        .line("polynomial, in f32", &points);
    drawn(figure.theory("f32's epsilon", &[(low, epsilon), (high, epsilon)]).y_range(0, 2).draw())
}

fn drawn(figure: std::result::Result<Figure, FigureError>) -> Result<Figure> {
    figure.map_err(candle_core::Error::wrap)
}
