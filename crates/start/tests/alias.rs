//! `cargo study` shows that it is being compiled, and later says nothing of cargo's.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn the_first_call_shows_a_bar_and_the_next_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |file: &str, text: &str| {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let ours =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../.cargo/config.toml");
    write(".cargo/config.toml", &fs::read_to_string(ours).unwrap());
    write("Cargo.toml", "[package]\nname = \"start\"\nedition = \"2024\"\n[workspace]\n");
    write("src/main.rs", "fn main() { println!(\"{:?}\", std::env::args().nth(1)); }\n");
    // Cargo waits for half a second before it shows a bar.
    write("build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_secs(2)); }\n");
    let call = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["study", "check"]).current_dir(root);
        cargo.env("CARGO_TARGET_DIR", root.join("target"));
        let output = cargo.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(output.stdout), text(output.stderr))
    };
    let (out, err) = call();
    assert_eq!(out, "Some(\"check\")\n", "{err}");
    assert!(err.contains("start(build)"), "{err}");
    assert_eq!(call(), (out, String::new()));
}
