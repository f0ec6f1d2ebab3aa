//! Where a manifest says `test = false` or `doctest = false`, nothing is built and nothing runs: so no tests may be there.

use std::fs;
use std::path::{Path, PathBuf};

use workbook::Workspace;

#[test]
fn what_is_not_built_holds_no_tests() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let root = Workspace::find(&here).unwrap().root().to_owned();
    let mut lost = Vec::new();
    for folder in ["chapters", "crates", "tools", "."] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let house = entry.unwrap().path();
            if house.join("Cargo.toml").is_file() {
                lost.extend(lost_in(&house));
            }
        }
    }
    assert!(lost.is_empty(), "take `test = false` or `doctest = false` away:\n{}", lost.join("\n"));
}

#[test]
fn a_test_that_would_be_lost_is_found() {
    let house = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(house.path().join("src")).unwrap();
        fs::write(house.path().join(name), text).unwrap();
    };
    write("Cargo.toml", "[lib]\ndoctest = false\n[[bin]]\nname = \"a\"\ntest = false\n");
    write("src/main.rs", "fn main() {}\n");
    write("src/lib.rs", "/// ```text\n/// 1\n/// ```\npub fn f() {}\n");
    assert_eq!(lost_in(house.path()), [""; 0]);
    write("src/main.rs", "#[cfg(test)]\nmod tests {}\n");
    write("src/lib.rs", "/// ```\n/// f();\n/// ```\npub fn f() {}\n");
    assert_eq!(lost_in(house.path()).len(), 2);
}

/// The files of a package that hold tests which are not built.
fn lost_in(house: &Path) -> Vec<String> {
    let text = fs::read_to_string(house.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let off = |target: &toml::Value, what: &str| {
        target.get(what).and_then(toml::Value::as_bool) == Some(false)
    };
    let (mut tests, mut examples) = (false, false);
    if let Some(library) = manifest.get("lib") {
        (tests, examples) = (off(library, "test"), off(library, "doctest"));
    }
    let mut lost: Vec<PathBuf> = vec![];
    let elsewhere = included(house);
    for file in files(&house.join("src")) {
        if elsewhere.iter().any(|place| file.starts_with(place)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        if (tests && has_tests(&text)) || (examples && has_examples(&text)) {
            lost.push(file);
        }
    }
    for program in manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten() {
        let name = program.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        let path = program.get("path").and_then(toml::Value::as_str).map(str::to_owned);
        let in_bin = house.join(format!("src/bin/{name}.rs"));
        let guess = if in_bin.is_file() { in_bin } else { house.join("src/main.rs") };
        let file = path.map_or(guess, |path| house.join(path));
        if off(program, "test") && has_tests(&fs::read_to_string(&file).unwrap()) {
            lost.push(file);
        }
    }
    lost.iter().map(|file| file.display().to_string()).collect()
}

/// Sources that a test program includes by their path, and whose tests it runs: files, and the folders of modules.
fn included(house: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    for file in files(&house.join("tests")) {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let path =
                line.strip_prefix("#[path = \"../").and_then(|rest| rest.strip_suffix("\"]"));
            all.extend(path.map(|path| house.join(path.trim_end_matches("/mod.rs"))));
        }
    }
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let inside = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flat_map(inside).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

fn has_tests(text: &str) -> bool {
    text.lines().any(|line| ["#[test]", "#[cfg(test)]"].contains(&line.trim()))
}

/// Whether a documentation's block is compiled: all are but those of another language, and those to be ignored.
fn has_examples(text: &str) -> bool {
    let mut inside = false;
    text.lines().any(|line| {
        let line = line.trim_start();
        let Some(said) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            inside = false;
            return false;
        };
        let Some(kind) = said.trim().strip_prefix("```") else { return false };
        inside = !inside;
        let rust = ["", "rust", "no_run", "should_panic", "compile_fail"];
        inside && kind.split(',').all(|word| rust.contains(&word.trim()))
    })
}
