//! The program as `cargo study bench` calls it, on rows that take a moment. No time is judged.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One run a turn: what is tested is what becomes of times, whichever they are.
const SHORT: &str = "--span=0";

fn bench(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    // On one thread candle does not ask for the number of cores before each product.
    command.args(arguments).current_dir(folder).env("RAYON_NUM_THREADS", "1");
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{arguments:?}: {err}");
    out
}

#[test]
fn rows_are_measured_and_kept_and_become_tables_and_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--only", "n16,n64", "--rounds", "1", "--threads", "1,2", "--json", "run.json", SHORT];
    let shown = bench(folder.path(), &arguments);
    assert!(shown.contains("n16: dense, 16 tokens, 8 heads of 64"), "{shown}");

    let text = fs::read_to_string(folder.path().join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(run["interrupted"], false);
    for name in ["cpu", "cores", "instructions"] {
        assert!(!run["machine"][name].is_null(), "{name}");
    }
    let cells = run["cells"].as_array().unwrap();
    for way in ["naive", "candle-nn", "rowwise", "tiled", "vectorised", "kernel"] {
        let count = cells.iter().filter(|cell| cell["impl"] == way).count();
        assert_eq!(count, if way == "kernel" { 4 } else { 2 }, "{way}");
    }
    for cell in cells {
        assert_eq!(cell["case"], "dense");
        assert_eq!((&cell["shape"]["h_q"], &cell["shape"]["d"]), (&8.into(), &64.into()));
        for name in ["threads", "runs", "median_ms", "min_ms", "gflops", "share_of_peak"] {
            assert!(cell[name].as_f64().is_some_and(|x| x > 0.), "{name}: {cell}");
        }
        assert!(cell["peak_bytes"].as_u64().is_some(), "{cell}");
    }

    // The figure is of the rows `dense` and `causal`: these stand in for them.
    let text = text.replace("\"n16\"", "\"dense\"").replace("\"n64\"", "\"causal\"");
    fs::write(folder.path().join("page.json"), text).unwrap();
    let files = bench(folder.path(), &["--page", "page.json", "--out", "page"]);
    assert_eq!(files.lines().count(), 4, "{files}");
    let read = |name: &str| fs::read_to_string(folder.path().join("page").join(name)).unwrap();
    for (name, part) in [
        ("speed.md", "dense, 2,048 tokens"),
        ("rungs.md", "tiled, autovectorised"),
        ("memory.md", "2,048 tokens"),
        ("rungs.svg", "<svg"),
    ] {
        assert!(read(name).contains(part), "{name}: {}", read(name));
    }
    assert!(read("speed.md").contains(run["machine"]["cpu"].as_str().unwrap()));
}

/// The folders that pages include tables from.
fn kept(chapter: &str) -> PathBuf {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    root.canonicalize().unwrap().join("chapters").join(chapter).join("bench")
}

/// What `--page` makes of a run, beside what is kept.
fn pages_are_those_of(run: &Path, folder_of: impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for file in bench(folder.path(), &["--page", run.to_str().unwrap(), "--out", "."]).lines() {
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        let [made, kept] = [folder.path(), &folder_of(name)]
            .map(|folder| fs::read_to_string(folder.join(name)).unwrap());
        assert!(made == kept, "{name}: type `cargo study bench --page {}`", run.display());
    }
}

/// A run is kept beside the tables that were made of it.
#[test]
fn the_pages_tables_are_those_of_the_run_that_is_kept() {
    let run = kept("07-flash").join("speed.json");
    let ragged = |name: &str| if name == "ragged.md" { "08-varlen" } else { "07-flash" };
    if run.exists() {
        pages_are_those_of(&run, |name| kept(ragged(name)));
    }
}

/// Until a run on a card is kept, its tables say that there is none, in the words of this program.
#[test]
fn the_gpus_tables_are_those_of_the_run_that_is_kept_or_say_that_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = kept("09-gpu").join("cuda.json");
    if !run.exists() {
        run = folder.path().join("nothing.json");
        let card = json!({"name": "", "capability": "", "memory": 0, "driver": null, "cuda": null});
        let machine = json!({"cpu": "", "cores": 1, "instructions": [], "memory": 0, "system": ""});
        let versions = json!({"rustc": "", "candle": "", "torch": null, "python": null});
        let nothing = json!({
            "date": "", "rounds": 1, "interrupted": true, "machine": machine, "card": card,
            "versions": versions, "peaks": [], "cells": [],
        });
        fs::write(&run, nothing.to_string()).unwrap();
    }
    pages_are_those_of(&run, |_| kept("09-gpu"));
}

/// All that happens on a card, with the processor in its place.
#[test]
fn a_cards_rows_are_rehearsed_on_the_processor() {
    let folder = tempfile::tempdir().unwrap();
    let only = "*-n512-d64-*,*-n1024-d64-f16,ragged*-d64-f16";
    let arguments =
        ["--device", "rehearsal", "--only", only, "--rounds", "1", "--json", "run.json", SHORT];
    let shown = bench(folder.path(), &arguments);
    assert!(shown.contains("causal-n512-d64-bf16: causal, 16 tokens, 16 heads of 64, bf16"));

    let text = fs::read_to_string(folder.path().join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    assert!(run["card"]["name"].as_str().is_some_and(|name| name.contains("no card")));
    let cells = run["cells"].as_array().unwrap();
    for (row, ways) in [
        ("dense-n512-d64-f16", &["naive", "flash", "flash-bare"][..]),
        ("causal-n512-d64-bf16", &["naive", "flash", "flash-bare"]),
        ("ragged-d64-f16", &["flash-one-by-one", "flash", "flash-bare"]),
        ("ragged-causal-d64-f16", &["flash-padded", "flash-one-by-one", "flash", "flash-bare"]),
    ] {
        let here: Vec<&Value> = cells.iter().filter(|cell| cell["row"] == row).collect();
        let found: Vec<&str> = here.iter().map(|cell| cell["impl"].as_str().unwrap()).collect();
        assert_eq!(found, ways, "{row}");
        for cell in here {
            assert!(row.ends_with(cell["dtype"].as_str().unwrap()), "{cell}");
            assert!(cell["gflops"].as_f64().is_some_and(|x| x > 0.), "{cell}");
        }
    }

    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["--page", "run.json"]).current_dir(folder.path());
    let refused = command.output().unwrap();
    assert!(!refused.status.success(), "a rehearsal is on no page");
    let files = bench(folder.path(), &["--page", "run.json", "--out", "page"]);
    assert_eq!(files.lines().count(), 3, "{files}");
    let read = |name: &str| fs::read_to_string(folder.path().join("page").join(name)).unwrap();
    for (name, part) in [
        ("speed.md", "| 16, 64, bf16"),
        ("ragged.md", "candle-flash-attn, packed"),
        ("speed.svg", "<svg"),
    ] {
        assert!(read(name).contains(part), "{name}: {}", read(name));
    }
    assert!(read("speed.md").contains("rehearsal on the CPU, no card"));
}

#[test]
fn a_card_has_rows_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let rows = bench(folder.path(), &["--list", "--device", "cuda"]);
    assert_eq!(rows.lines().count(), 56, "{rows}");
    for (name, title) in [
        ("dense-n512-d64-f16", "dense, 512 tokens, 16 heads of 64, f16"),
        ("causal-n16384-d128-bf16", "causal, 16,384 tokens, 16 heads of 128, bf16"),
        ("ragged-d64-f16", "32 sequences of up to 1,894 tokens, 16 heads of 64, f16"),
    ] {
        let shown = rows.lines().filter_map(|line| line.split_once(' '));
        let mut titles = shown.filter(|(shown, _)| *shown == name).map(|(_, title)| title.trim());
        assert_eq!(titles.next(), Some(title), "{rows}");
    }
    assert_eq!(bench(folder.path(), &["--list"]).lines().count(), 19);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_there_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(["--device", "cuda", "--only", "*-n512-*"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--device cuda: this build has no CUDA"), "{said}");
}
