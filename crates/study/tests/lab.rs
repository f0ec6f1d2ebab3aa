//! `study lab` as root, with a stand-in for Jupyter.
#![cfg(unix)]

mod course;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use course::Course;

fn program(file: &Path, script: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A course in which all is installed: a kernel, and a Python that writes down what it is called with.
fn installed() -> Course {
    let course = Course::new();
    let home = course.folder.path().join(".study");
    program(&home.join("jupyter/bin/python"), "echo \"$@\" >>\"$CALLED\"");
    let requirements = include_str!("../src/tools/requirements.txt");
    fs::write(home.join("jupyter/installed.txt"), requirements).unwrap();
    program(&home.join("bin/evcxr_jupyter"), "exit 0");
    let recorded = "[v1]\n\"evcxr_jupyter 0.22.0 (registry)\" = [\"evcxr_jupyter\"]\n";
    fs::write(home.join(".crates.toml"), recorded).unwrap();
    course
}

/// With which arguments JupyterLab is started, and what is said before.
fn lab(course: &Course, more: &[&str]) -> (String, String) {
    let called = course.folder.path().join("called");
    let _ = fs::remove_file(&called);
    let output =
        course.command(&[&["lab"], more].concat()).env("CALLED", &called).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let calls = fs::read_to_string(called).unwrap();
    let lab = calls.lines().find(|line| line.starts_with("-m jupyterlab")).map(str::to_owned);
    (lab.unwrap_or_else(|| panic!("JupyterLab is not started:\n{calls}\n{said}")), said)
}

#[test]
fn root_is_let_in_and_told_so_and_nobody_else() {
    let course = installed();
    let user = Command::new("id").arg("-u").output().unwrap().stdout;
    let root = user == b"0\n";
    let (call, said) = lab(&course, &["--", "--port", "9999"]);
    let flag = if root { " --allow-root" } else { "" };
    assert_eq!(call, format!("-m jupyterlab{flag} --port 9999"));
    assert_eq!(said.contains("started with --allow-root"), root, "{said}");
    // Said by the learner, it is not said twice.
    let (call, _) = lab(&course, &["--no-open", "--", "--allow-root"]);
    assert_eq!(call, "-m jupyterlab --no-browser --allow-root");
}

#[test]
fn in_a_container_the_way_in_is_told_before_anything_is_done() {
    let course = installed();
    let told = |more: &[&str]| {
        let mut command = course.command(&[&["lab"], more].concat());
        command.env("container", "podman").env("CALLED", course.folder.path().join("called"));
        String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
    };
    let said = told(&[]);
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("`{text}` is not in:\n{said}"));
    assert!(at("cargo study lab -- --ip 0.0.0.0") < at("kernel is ready"));
    assert!(!told(&["--", "--ip=0.0.0.0"]).contains("--ip 0.0.0.0"));
}
