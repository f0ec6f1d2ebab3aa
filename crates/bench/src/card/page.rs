//! What week 9's page shows of a run on a card.

use crate::report::{Card, Cell, Run};
use crate::table::{Table, bytes, digits, times};
use crate::tables::{NONE, time};
use anyhow::Result;
use figures::{Figure, Lines};
use options::bench::rows::thousands;

/// Stands in for the table of speeds until a run on a card has made one.
const UNMEASURED: &str = "Nothing has been measured on a card yet, so there are no numbers here. On a machine with one, \
    `cargo study bench --device cuda --torch python3 --json chapters/09-gpu/bench/cuda.json` measures, and `cargo study \
    bench --page chapters/09-gpu/bench/cuda.json` puts the tables here.\n";
/// The same for the ragged batches.
const RAGGED_UNMEASURED: &str = "The same run measures the ragged batches.\n";

/// How much slower than PyTorch's FlashAttention-2 ours may be.
const EXPECTED: f64 = 1.05;

/// The ways of the ragged batches.
const RAGGED: [(&str, &str); 6] = [
    ("torch-padded", "PyTorch, padded"),
    ("torch-varlen", "PyTorch, packed"),
    ("flash-padded", "candle-flash-attn, padded"),
    ("flash-one-by-one", "candle-flash-attn, one by one"),
    ("flash-bare", "candle-flash-attn, packed, called bare"),
    ("flash", "candle-flash-attn, packed"),
];

/// `speed.md`.
pub fn speed(run: &Run, card: &Card) -> String {
    speeds(run, card).unwrap_or_else(|| UNMEASURED.to_owned())
}

/// `ragged.md`.
pub fn ragged(run: &Run, card: &Card) -> String {
    batches(run, card).unwrap_or_else(|| RAGGED_UNMEASURED.to_owned())
}

/// Dense, then causal: a row for each length, head dim and type. Nothing when nothing was measured.
pub fn speeds(run: &Run, card: &Card) -> Option<String> {
    let tables = ["dense", "causal"].map(|case| (case, table(run, case)));
    let tables = tables.iter().filter(|(_, table)| !table.is_empty());
    let text: String = tables
        .map(|(case, table)| format!("One sequence, 16 heads, {case}:\n\n{}\n", table.markdown()))
        .collect();
    let footer = || format!("{}{}\n", verdict(run), footer(run, card));
    (!text.is_empty()).then(|| text.clone() + &footer())
}

fn table(run: &Run, case: &str) -> Table {
    let mut table = Table::new([
        "tokens, head dim, type",
        "naive, ms",
        "PyTorch, ms",
        "ours, ms",
        "called bare, ms",
        "ours, TFLOP/s",
        "of PyTorch's speed",
    ]);
    for ours in run.cells.iter().filter(|cell| cell.case == case && cell.way == "flash") {
        let of = |way| run.cell(&ours.row, way, ours.threads).map_or(NONE.to_owned(), time);
        let shape = ours.shape;
        table.row(vec![
            format!("{}, {}, {}", thousands(shape.n_k), shape.d, ours.dtype),
            of("naive"),
            of("torch"),
            time(ours),
            of("flash-bare"),
            digits(ours.gflops / 1e3),
            ours.times_torch.map_or(NONE.to_owned(), times),
        ]);
    }
    table
}

/// How many rows are as fast as expected; nothing without PyTorch.
fn verdict(run: &Run) -> String {
    let dense = |cell: &&Cell| matches!(&*cell.case, "dense" | "causal") && cell.way == "flash";
    let ratios: Vec<f64> =
        run.cells.iter().filter(dense).filter_map(|cell| cell.times_torch).collect();
    if ratios.is_empty() {
        return String::new();
    }
    let met = ratios.iter().filter(|ratio| 1. / **ratio <= EXPECTED).count();
    let kind = run.versions.torch_flash.as_deref().unwrap_or("FA2");
    format!(
        "We expect a time within 5\u{a0}% of PyTorch's flash attention ({kind} here): {met} of {} rows meet that.\n\n",
        ratios.len()
    )
}

/// The ragged batches, dense, then causal: way by way. Nothing when nothing was measured.
pub fn batches(run: &Run, card: &Card) -> Option<String> {
    let tables = [("ragged", "dense"), ("ragged-causal", "causal")];
    let text: String = tables.iter().filter_map(|(case, name)| batch(run, case, name)).collect();
    (!text.is_empty()).then(|| format!("{text}{}\n", footer(run, card)))
}

fn batch(run: &Run, case: &str, name: &str) -> Option<String> {
    let ours = |cell: &&Cell| cell.case == case && cell.way == "flash";
    let ours: Vec<&Cell> = run.cells.iter().filter(ours).collect();
    let shape = ours.first()?.shape;
    let head = ours.iter().map(|cell| format!("head dim {}, {}, ms", cell.shape.d, cell.dtype));
    let mut table = Table::new(["".to_owned()].into_iter().chain(head));
    for (way, title) in RAGGED {
        let shown = |ours: &&Cell| match run.cell(&ours.row, way, ours.threads) {
            Some(cell) => format!("{} ({})", time(cell), times(cell.median_ms / ours.median_ms)),
            None => NONE.to_owned(),
        };
        let cells: Vec<String> = ours.iter().map(shown).collect();
        if cells.iter().any(|cell| cell != NONE) {
            table.row([vec![title.to_owned()], cells].concat());
        }
    }
    Some(format!(
        "{} sequences of up to {} tokens, {} heads, {name}; in brackets, the time relative to ours, packed:\n\n{}\n",
        shape.b,
        thousands(shape.n_k),
        shape.h_q,
        table.markdown()
    ))
}

/// TFLOP/s over the number of tokens, dense, in f16; nothing when the run has no such rows.
pub fn figure(run: &Run) -> Result<Option<Figure>> {
    let mut lines = Lines::new("What flash attention makes of the card").log2_x();
    let mut drawn = 0;
    for dim in [64, 128] {
        for (way, name) in [("flash", "ours"), ("torch", "PyTorch")] {
            let here = |cell: &&Cell| {
                cell.case == "dense"
                    && cell.dtype == "f16"
                    && cell.way == way
                    && cell.shape.d == dim
            };
            let point = |cell: &Cell| (cell.shape.n_k as f64, cell.gflops / 1e3);
            let points: Vec<(f64, f64)> = run.cells.iter().filter(here).map(point).collect();
            if points.len() > 1 {
                lines = lines.line(format!("{name}, head dim {dim}"), &points);
                drawn += 1;
            }
        }
    }
    let lines = lines.x("tokens").y("TFLOP/s, dense, f16");
    if drawn == 0 { Ok(None) } else { Ok(Some(lines.draw()?)) }
}

/// Where the numbers come from.
pub fn footer(run: &Run, card: &Card) -> String {
    let Run { versions, rounds, .. } = run;
    let rounds =
        if *rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds in turn") };
    let mut parts = vec![format!("{}, compute capability {}", card.name, card.capability)];
    if card.memory > 0 {
        parts.push(bytes(card.memory as usize));
    }
    parts.extend(card.driver.as_ref().map(|version| format!("driver {version}")));
    parts.extend(card.cuda.as_ref().map(|version| format!("CUDA {version}")));
    let mut with = vec![format!("candle {}", versions.candle)];
    with.extend(versions.torch.as_ref().map(|version| {
        let built = versions.torch_cuda.as_ref().map(|cuda| format!(" for CUDA {cuda}"));
        format!("PyTorch {version}{}", built.unwrap_or_default())
    }));
    format!(
        "(Medians of {rounds}, ± half the interquartile range; the time between two synchronisations, divided by \
         the number of runs between them. {}. With {}; {}.)",
        parts.join(", "),
        with.join(", "),
        run.date
    )
}
