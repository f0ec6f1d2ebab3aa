//! Draws one figure of each kind: `cargo run -p figures --example gallery -- FOLDER`.

use std::{error::Error, path::PathBuf};

use figures::{Bars, Cell, Diagram, Heatmap, Lines, Node, Role, Vectors2d};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_string()));
    let widths = [8, 16, 32, 64, 128, 256, 512];
    let spread: Vec<(u32, f64)> = widths.iter().map(|&d| (d, f64::from(d) * 1.04)).collect();
    let scaled: Vec<(u32, f64)> =
        widths.iter().map(|&d| (d, 0.97 + 0.01 * f64::from(d % 3))).collect();
    let lines = [
        (
            "variance",
            Lines::new("Without the scale, scores spread with the width of a head")
                .x("head_dim d")
                .y("variance of q·k")
                .log2_x()
                .log_y()
                .line("no scale", &spread)
                .line("÷ √d", &scaled)
                .theory("d", &[(8, 8), (512, 512)])
                .band(
                    "no scale",
                    &spread.iter().map(|&(d, v)| (d, v * 0.8, v * 1.25)).collect::<Vec<_>>(),
                ),
        ),
        (
            "loss",
            Lines::new("Loss on the copy task")
                .x("step")
                .y("cross-entropy, nats")
                .line(
                    "training",
                    &(0..3000)
                        .map(|i| {
                            (
                                i,
                                2.4 * (-f64::from(i) / 600.0).exp()
                                    + 0.1 * f64::from(i * 7919 % 101) / 101.0,
                            )
                        })
                        .collect::<Vec<_>>(),
                )
                .line(
                    "held out, sequences twice as long",
                    &(0..30)
                        .map(|i| (i * 100, 2.4 * (-f64::from(i) / 8.0).exp() + 0.05))
                        .collect::<Vec<_>>(),
                ),
        ),
        (
            "entropy",
            (0..8).fold(
                Lines::new("Entropy of each head").x("layer").y("entropy, nats").y_range(0, 2),
                |lines, head| {
                    lines.line(
                        format!("head {head}"),
                        &(0..6)
                            .map(|layer| (layer, 1.0 + 0.1 * f64::from((head * 5 + layer * 3) % 7)))
                            .collect::<Vec<_>>(),
                    )
                },
            ),
        ),
        (
            "small",
            Lines::new("Softmax of (t, 0)")
                .x("t")
                .y("weight")
                .y_range(0, 1)
                .line(
                    "σ(t)",
                    &(-60..=60)
                        .map(|i| (f64::from(i) / 10.0, 1.0 / (1.0 + (-f64::from(i) / 10.0).exp())))
                        .collect::<Vec<_>>(),
                )
                .points("seen", &[(-4.0, 0.05), (0.0, 0.5), (4.0, 0.93)])
                .small(),
        ),
    ];
    for (name, figure) in lines {
        figure.draw()?.save(folder.join(format!("{name}.svg")))?;
    }

    let tokens = ["the", "cat", "sat", "on", "the", "mat", "\n"];
    let causal = |head: usize, row: usize, col: usize| {
        let score = |col: usize| ((row * 7 + col * 3 + head * 5) % 11) as f64 / 3.0;
        let total: f64 = (0..=row).map(|col| score(col).exp()).sum();
        if col <= row { score(col).exp() / total } else { 0.0 }
    };
    let head = |head: usize, n: usize| -> Vec<f64> {
        (0..n * n).map(|i| causal(head, i / n, i % n)).collect()
    };
    let scores: Vec<f64> = (0..16)
        .map(|i| if i % 4 > i / 4 { f64::NEG_INFINITY } else { f64::from(i) - 6.5 })
        .collect();
    let mut broken = head(0, 24);
    broken[24 * 10..24 * 11].fill(f64::NAN);
    let keep = |n: usize| -> Vec<bool> { (0..n * n).map(|i| i % n <= i / n).collect() };
    let maps = [
        (
            "weights",
            Heatmap::new("Attention weights of one head", 7, 7, &head(0, 7))
                .row_labels(tokens)
                .col_labels(tokens)
                .x("key")
                .y("query")
                .print_values(2),
        ),
        (
            "scores",
            Heatmap::new("Masked scores", 4, 4, &scores).x("key").y("query").print_values(1),
        ),
        (
            "heads",
            Heatmap::grid(
                "Eight heads of layer 3",
                16,
                16,
                (0..8).map(|h| (format!("head {h}"), head(h, 16))),
            )
            .x("key")
            .y("query")
            .range(0, 1),
        ),
        (
            "four-heads",
            Heatmap::grid("Four heads", 7, 7, (0..4).map(|h| (format!("head {h}"), head(h, 7))))
                .row_labels(tokens)
                .col_labels(tokens)
                .x("key")
                .y("query"),
        ),
        ("mask", Heatmap::new("Causal mask", 8, 8, &keep(8)).x("key").y("query").mask()),
        (
            "large-mask",
            Heatmap::new("A larger causal mask", 64, 64, &keep(64)).x("key").y("query").mask(),
        ),
        (
            "broken",
            Heatmap::new("A row with nothing to see is NaN", 24, 24, &broken).x("key").y("query"),
        ),
        ("large", Heatmap::new("Sixty-four tokens", 64, 64, &head(1, 64)).x("key").y("query")),
    ];
    for (name, figure) in maps {
        figure.draw()?.save(folder.join(format!("{name}.svg")))?;
    }

    let bars = [
        (
            "bars",
            Bars::new("Time of one forward pass")
                .x("milliseconds (an example, not a measurement)")
                .bar("plain", 182.4)
                .bar("tiled, online softmax", 41.0)
                .bar("tiled, online softmax, two threads", 22.5),
        ),
        (
            "groups",
            Bars::new("Dot products by head")
                .x("q·k")
                .names(["before training", "after training"])
                .group("head 0", &[0.2, 3.1])
                .group("head 1", &[-0.4, -1.75])
                .decimals(2),
        ),
    ];
    for (name, figure) in bars {
        figure.draw()?.save(folder.join(format!("{name}.svg")))?;
    }

    let vectors = [
        (
            "vectors",
            Vectors2d::new("A query and three keys")
                .vector("q", [2.0, 1.0])
                .vector("k₁ (q·k₁ = 4)", [1.0, 2.0])
                .vector("k₂ (q·k₂ = −0.5)", [-1.0, 1.5])
                .vector("k₃", [-1.2, -0.8])
                .angle("q", "k₁"),
        ),
        (
            "parallel",
            Vectors2d::new("Nearly the same")
                .vector("a", [1.0, 0.1])
                .vector("b", [1.0, 0.12])
                .vector("c", [0.98, 0.0]),
        ),
    ];
    for (name, figure) in vectors {
        figure.draw()?.save(folder.join(format!("{name}.svg")))?;
    }

    let roles = [
        (Role::Query, "query"),
        (Role::Key, "key"),
        (Role::Value, "value"),
        (Role::Scores, "scores"),
        (Role::Weights, "weights"),
        (Role::Output, "output"),
        (Role::Mask, "mask"),
        (Role::Plain, "other"),
    ];
    let tensor = |&(role, name): &(Role, &str)| Node::tensor(role, name).shape("(3, 5)");
    let cells =
        (0..5).map(|i| Cell::new(Role::Weights, format!("0.{i}")).strength(0.25 * f64::from(i)));
    Diagram::new("Every kind of node, every role and every arrow")
        .row(roles[..4].iter().map(tensor))
        .row(roles[4..].iter().map(tensor))
        .row([Node::step("a step").at(0.25), Node::note("a note,\nin two lines").at(0.75)])
        .row([Node::grid(Role::Weights, "a grid", [cells])
            .shape("(1, 5)")
            .rows(["row"])
            .columns(["a", "b", "c", "d", "e"])
            .at(0.35)
            .mark(0, "0")
            .mark(5, "5")])
        .row([0, 1, 2].map(|i| Node::tensor(Role::Sequence(i), format!("sequence {i}"))))
        .group("a frame", ["a step"])
        .arrow_with("weights", "a step", "down")
        .arrow_with("a step", "a note,\nin two lines", "across")
        .arrow("a step", "a grid")
        .slanted("a grid", "sequence 0")
        .draw()?
        .save(folder.join("diagram.svg"))?;
    Ok(())
}
