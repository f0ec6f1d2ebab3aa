//! The program as `cargo study bench` calls it, on rows that take a moment. No time is judged.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn bench(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{arguments:?}: {err}");
    out
}

#[test]
fn rows_are_measured_and_kept_and_become_tables_and_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--only", "n16,n64", "--rounds", "1", "--threads", "1,2", "--json", "run.json"];
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

/// A run is kept beside the tables that were made of it.
#[test]
fn the_pages_tables_are_those_of_the_run_that_is_kept() {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap())
        .join("../..")
        .canonicalize()
        .unwrap();
    let [flash, varlen] =
        ["07-flash", "08-varlen"].map(|chapter| root.join("chapters").join(chapter).join("bench"));
    let run = flash.join("speed.json");
    if !run.exists() {
        return; // nothing was measured yet
    }
    let folder = tempfile::tempdir().unwrap();
    for file in bench(folder.path(), &["--page", run.to_str().unwrap(), "--out", "."]).lines() {
        let name = Path::new(file).file_name().unwrap();
        let of = if name == "ragged.md" { &varlen } else { &flash };
        let [made, kept] =
            [folder.path(), of].map(|folder| fs::read_to_string(folder.join(name)).unwrap());
        assert!(
            made == kept,
            "{}: type `cargo study bench --page {}`",
            of.display(),
            run.display()
        );
    }
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(["--device", "cuda", "--only", "n16"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--device cuda: this build has no CUDA"), "{said}");
}
