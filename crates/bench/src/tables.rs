//! What weeks 7's and 8's pages show of a run on the processor: tables, and the figure of the rungs.

use crate::report::{Cell, Run};
use crate::table::{Table, bytes, digits, ms, percent, times};
use crate::ways::AVX2;
use anyhow::Result;
use figures::{Bars, Figure};
use options::bench::rows::{Case, ROWS, Row, thousands};

/// The ways of the rungs' table and figure, from the lowest to the highest, with what a reader calls them.
const RUNGS: [(&str, &str); 8] = [
    ("naive", "naive: candle operations"),
    ("rowwise", "row by row, online softmax"),
    ("candle-nn", "candle-nn's CPU flash"),
    ("tiled", "tiled, plain loops"),
    ("vectorised", "tiled, autovectorised"),
    (AVX2, "the kernel, AVX2 forced"),
    ("kernel", "the kernel"),
    ("torch", "PyTorch"),
];

/// The yardsticks below the rungs: products of two square matrices, and nothing else.
const PRODUCTS: [(&str, &str); 2] = [
    ("candle", "yardstick: candle's matrix product"),
    ("torch", "yardstick: PyTorch's matrix product"),
];

/// The ways of the ragged table.
const RAGGED: [(&str, &str); 6] = [
    ("torch-padded", "PyTorch, padded with a mask"),
    ("torch-one-by-one", "PyTorch, one by one"),
    ("kernel-padded", "ours, padded with a mask"),
    ("kernel-one-by-one", "ours, one by one"),
    ("candle-nn", "candle-nn's CPU flash, packed"),
    ("varlen", "ours, packed"),
];

/// Row by row: milliseconds, PyTorch's and the kernel's on each number of threads; in brackets, how many times as fast
/// the kernel is. Eight heads of 64 go without saying.
pub fn speed(run: &Run) -> Table {
    let most = run.threads();
    let mut threads: Vec<usize> = run.cells.iter().map(|cell| cell.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let with_torch = run.cells.iter().any(|cell| cell.way == "torch");
    let mut head = vec!["milliseconds".to_owned(), "naive".into(), "candle-nn".into()];
    for count in &threads {
        let on = on_threads(*count);
        if with_torch {
            head.push(format!("PyTorch, {on}"));
        }
        head.push(format!("kernel, {on}"));
    }
    let mut table = Table::new(head);
    let shown = |row: &&Row| !row.case.ragged() && row.case != Case::Matmul;
    for row in ROWS.iter().filter(shown) {
        let cell = |way, threads| run.cell(row.name, way, threads);
        if cell("kernel", most).is_none() {
            continue;
        }
        let time = |cell: Option<&Cell>| show(cell, |cell| Some(ms(cell.median_ms)));
        let title = row.title().replace(", 8 heads of 64", "");
        let mut cells = vec![title, time(cell("naive", most)), time(cell("candle-nn", most))];
        for count in &threads {
            if with_torch {
                cells.push(time(cell("torch", *count)));
            }
            cells.push(show(cell("kernel", *count), |cell| {
                let ratio = cell.times_torch.map(|ratio| format!(" ({})", times(ratio)));
                Some(ms(cell.median_ms) + &ratio.unwrap_or_default())
            }));
        }
        table.row(cells);
    }
    table
}

/// Rung by rung, at 2,048 tokens: time, GFLOP/s, the part of the peak, and the speed beside PyTorch's; below, what plain
/// matrix products reach.
pub fn rungs(run: &Run) -> Table {
    let mut table =
        Table::new(["", "dense, ms", "causal, ms", "GFLOP/s", "of the peak", "of PyTorch's speed"]);
    for (way, name) in RUNGS {
        let cell = |row| run.cell(row, way, run.threads());
        let Some(dense) = cell("dense") else { continue };
        table.row(vec![
            name.to_owned(),
            time(dense),
            show(cell("causal"), |cell| Some(time(cell))),
            digits(dense.gflops),
            show(Some(dense), |cell| cell.share_of_peak.map(percent)),
            show(Some(dense), |cell| cell.times_torch.map(times)),
        ]);
    }
    for (way, name) in PRODUCTS {
        match run.cell("matmul", way, run.threads()) {
            Some(cell) if !table.is_empty() => table.row(vec![
                name.to_owned(),
                NONE.to_owned(),
                NONE.to_owned(),
                digits(cell.gflops),
                show(Some(cell), |cell| cell.share_of_peak.map(percent)),
                NONE.to_owned(),
            ]),
            _ => {}
        }
    }
    table
}

/// Way by way, over the number of tokens: the most bytes at once beyond inputs and output.
pub fn memory(run: &Run) -> Table {
    let lengths = ["n1000", "dense", "dense-n4096", "n16384"];
    let rows: Vec<&Row> = lengths
        .iter()
        .filter_map(|name| ROWS.iter().find(|row| row.name == *name))
        .filter(|row| run.cell(row.name, "kernel", run.threads()).is_some())
        .collect();
    let head = rows.iter().map(|row| format!("{} tokens", thousands(row.keys)));
    let mut table = Table::new(["".to_owned()].into_iter().chain(head));
    for (way, name) in RUNGS {
        let cell = |row: &&Row| {
            show(run.cell(row.name, way, run.threads()), |cell| cell.peak_bytes.map(bytes))
        };
        let cells: Vec<String> = rows.iter().map(cell).collect();
        if cells.iter().any(|cell| cell != NONE) && way != AVX2 {
            table.row([vec![name.to_owned()], cells].concat());
        }
    }
    table
}

/// The ragged batch, way by way, and how many times as fast ours is when packed.
pub fn ragged(run: &Run) -> Table {
    let most = run.threads();
    let (one, all) = (on_threads(1), on_threads(most));
    let head = [
        "".to_owned(),
        format!("{one}, ms"),
        format!("{all}, ms"),
        "GFLOP/s".to_owned(),
        "ours packed is faster by".to_owned(),
    ];
    let packed = run.cell("ragged", "varlen", most).map(|cell| cell.median_ms);
    let mut table = Table::new(head);
    for (way, name) in RAGGED {
        let Some(cell) = run.cell("ragged", way, most) else { continue };
        let one = show(run.cell("ragged", way, 1), |cell| Some(time(cell)));
        let ratio = packed.map_or(NONE.to_owned(), |packed| times(cell.median_ms / packed));
        table.row(vec![name.to_owned(), one, time(cell), digits(cell.gflops), ratio]);
    }
    table
}

/// What each rung reaches, in one figure; nothing when the run has no such rows.
pub fn figure(run: &Run) -> Result<Option<Figure>> {
    let threads = run.threads();
    let reached = |row, way| run.cell(row, way, threads).map(|cell| cell.gflops);
    let (mut bars, mut count) = (Bars::new("What each rung makes of the processor"), 0);
    bars = bars.names(["dense", "causal"]).decimals(0);
    bars = bars.x(format!("GFLOP/s on {}: 2,048 tokens, 8 heads of 64", on_threads(threads)));
    for (way, name) in RUNGS {
        if let (Some(dense), Some(causal)) = (reached("dense", way), reached("causal", way)) {
            bars = bars.group(name, &[dense, causal]);
            count += 1;
        }
    }
    if let Some(peak) = run.peak(run.best(), threads) {
        bars = bars.group("the processor's peak, measured", &[peak, peak]);
    }
    match count {
        0 => Ok(None),
        _ => Ok(Some(bars.draw()?)),
    }
}

/// Median and spread, where there is one.
pub fn time(cell: &Cell) -> String {
    match cell.runs {
        0 | 1 => ms(cell.median_ms),
        _ => format!("{}\u{a0}±\u{a0}{}", ms(cell.median_ms), ms(cell.spread_ms)),
    }
}

fn on_threads(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// Stands where nothing was measured.
pub const NONE: &str = "–";

fn show(cell: Option<&Cell>, what: impl Fn(&Cell) -> Option<String>) -> String {
    cell.and_then(what).unwrap_or_else(|| NONE.to_owned())
}

/// Where the numbers come from.
pub fn footer(run: &Run) -> String {
    let Run { versions, machine, rounds, .. } = run;
    let threads = on_threads(run.threads());
    let torch = versions.torch.as_ref().map(|version| format!(", PyTorch {version}"));
    let turns =
        if *rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds in turn") };
    let mut peaks: Vec<String> = vec![];
    for peak in run.peaks.iter().filter(|peak| peak.threads == run.threads()) {
        peaks.push(format!("{} GFLOP/s with {}", digits(peak.gflops), peak.instructions));
    }
    let peak = match peaks.is_empty() {
        true => String::new(),
        false => format!(" Peak on {threads}: {}.", peaks.join(", ")),
    };
    format!(
        "(Medians of {turns}; {threads} where no number is given; {}, {} cores; Rust {}, candle {}{}; {}.{peak})",
        machine.cpu,
        machine.cores,
        versions.rustc,
        versions.candle,
        torch.unwrap_or_default(),
        run.date,
    )
}
