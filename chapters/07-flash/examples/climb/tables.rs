//! The tables of the page, in Markdown.

use crate::record::{Elsewhere, Lines, Machine, Part, Record, Times};
use flash::{Path, rungs};

/// File names and their text, for what was measured.
pub fn all(record: &Record, recorded: &Elsewhere) -> Vec<(&'static str, String)> {
    let mut files = vec![("climb-counts.md", counts()), ("intel-xeon.md", elsewhere(recorded))];
    if let Some(lines) = &record.lines {
        files.push(("climb-lines.md", fetched(lines)));
    }
    if let Some(times) = &record.times {
        files.push(("climb-times.md", parts(times)));
        files.push(("climb-naive.md", operations(times)));
    }
    files
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.iter().map(|cell| (*cell).into()).collect());
    text += &format!("|---|{}\n", "--:|".repeat(head.len() - 1));
    rows.into_iter().for_each(|row| text += &line(row));
    text
}

/// Counted, for one head of 2,048 tokens.
fn counts() -> String {
    let (seq, dim) = (2048, 64);
    let costs = rungs::costs(seq, dim, Path::Avx2);
    let megabytes = |numbers: usize| format!("{:.1} MB", numbers as f64 * 4. / 1e6);
    let millions = |x: usize| format!("{:.1}", x as f64 / 1e6);
    let rows = rungs::ALL.iter().zip(costs).map(|((name, _), cost)| {
        vec![
            (*name).into(),
            millions(cost.multiply_adds),
            millions(cost.exponentials),
            megabytes(cost.scores_moved),
            cost.keys_moved.map_or("–".into(), megabytes),
            cost.loads.map_or("–".into(), |loads| format!("{loads:.2}")),
        ]
    });
    let head = [
        "",
        "multiply-adds, millions",
        "exponentials, millions",
        "scores and weights moved",
        "keys and values asked for",
        "numbers loaded or stored per multiply-add",
    ];
    table(&head, rows.collect())
        + "\n(One head of 2,048 tokens, 64 numbers each, counted by `rungs::costs`; the kernel's loads with AVX2. –: the \
           library's matrix product decides.)\n"
}

/// Simulated.
fn fetched(lines: &Lines) -> String {
    let millions = |x: u64| format!("{:.1}", x as f64 / 1e6);
    let megabytes = |lines: u64| format!("{:.1} MB", lines as f64 * 64. / 1e6);
    let rows = lines.rungs.iter().map(|rung| {
        vec![
            rung.name.clone(),
            millions(rung.instructions),
            megabytes(rung.beyond_first),
            megabytes(rung.beyond_second),
        ]
    });
    let head = [
        "",
        "instructions, millions",
        "fetched into the first cache",
        "of it, from beyond the second",
    ];
    let [first, second] = lines.caches.map(|bytes| bytes >> 10);
    table(&head, rows.collect())
        + &format!(
            "\n(One head of {} tokens, {} numbers each. {} with caches of {first} KB and {second} KB, nothing \
             prefetched. The rungs as they run on {})\n",
            thousands(lines.seq),
            lines.dim,
            lines.valgrind,
            place(&lines.machine, 1),
        )
}

/// Timed, by halving.
fn parts(times: &Times) -> String {
    let [heads, seq] = times.short;
    let products = 4. * (heads * seq * seq * times.dim) as f64; // operations of both
    let speed = |operations: f64, ms: f64| match ms > 0. {
        true => format!("{:.0}", operations / ms / 1e6),
        false => "–".into(),
    };
    let rows = times.rungs.iter().map(|rung| {
        let both = rung.scores + rung.values;
        // Of a difference between large numbers, or of parts that get in each other's way, nothing follows.
        let fits = both <= rung.short && both >= rung.short / 2.;
        vec![
            rung.name.clone(),
            ms(rung.long),
            ms(rung.short),
            ms(rung.scores / 2.),
            ms(rung.values / 2.),
            ms(both),
            if fits { speed(products, both) } else { "–".into() },
        ]
    });
    let sizes =
        [times.long, times.short].map(|[heads, seq]| format!("{heads} × {}", thousands(seq)));
    let [long, short] = &sizes;
    let head = [
        "milliseconds",
        long,
        short,
        "saved: half of q and k",
        "saved: half of v",
        "twice both",
        "the products' GFLOP/s",
    ];
    let size = thousands(times.product.size);
    let yardstick = speed(2. * (times.product.size as f64).powi(3), times.product.ms);
    let listed = |parts: &[Part]| -> String {
        let parts: Vec<String> =
            parts.iter().map(|part| format!("{} {}", part.name, ms(part.ms))).collect();
        parts.join(", ")
    };
    table(&head, rows.collect())
        + &format!(
            "\n(Heads × tokens, {} numbers each, no mask; halves in the second size. The fastest of {} rounds in turn, in one thread's time on the processor. \
             By themselves, for as many scores: exponentials, {} ms; dot products, {} ms. Yardstick, a product of two {size} × {size} matrices by \
             candle: {yardstick} GFLOP/s. {})\n",
            times.dim,
            times.rounds,
            listed(&times.exponentials),
            listed(&times.dots),
            place(&times.machine, times.machine.threads),
        )
}

fn operations(times: &Times) -> String {
    let all: f64 = times.operations.iter().map(|part| part.ms).sum();
    let rows = times.operations.iter().map(|part| {
        vec![part.name.clone(), ms(part.ms), format!("{:.0}\u{a0}%", 100. * part.ms / all)]
    });
    let [heads, seq] = times.long;
    table(&["naive", "milliseconds", "share"], rows.collect())
        + &format!(
            "\n(The same run: each operation by itself, {heads} heads of {} tokens. {})\n",
            thousands(seq),
            place(&times.machine, times.machine.threads),
        )
}

/// What is recorded of another machine.
fn elsewhere(recorded: &Elsewhere) -> String {
    let time = |ms: Option<f64>| ms.map_or("–".into(), digits);
    let beside = |torch: Option<f64>, kernel: Option<f64>| match (torch, kernel) {
        (Some(torch), Some(kernel)) => format!("{} ({:.2}\u{a0}×)", digits(kernel), torch / kernel),
        (_, kernel) => time(kernel),
    };
    let rows = recorded.rows.iter().map(|row| {
        vec![
            row.name.clone(),
            time(row.torch_1),
            beside(row.torch_1, row.kernel_1),
            time(row.torch_2),
            beside(row.torch_2, row.kernel_2),
        ]
    });
    let head = [
        "milliseconds",
        "PyTorch, 1 thread",
        "kernel, 1 thread",
        "PyTorch, 2 threads",
        "kernel, 2 threads",
    ];
    table(&head, rows.collect())
        + &format!("\n({}; {}; {})\n", recorded.machine, recorded.versions, recorded.date)
}

/// With three digits that count, as in the other tables.
fn digits(x: f64) -> String {
    if x < 1. { format!("{x:.3}") } else { ms(x) }
}

fn place(machine: &Machine, threads: usize) -> String {
    let threads = if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    format!("{}, {threads}, kernel with {}; {}.", machine.cpu, machine.path, machine.date)
}

/// With three digits that count.
fn ms(x: f64) -> String {
    match x.abs() {
        size if size < 10. => format!("{x:.2}"),
        size if size < 100. => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

fn thousands(x: usize) -> String {
    if x < 1000 { x.to_string() } else { format!("{},{:03}", x / 1000, x % 1000) }
}
