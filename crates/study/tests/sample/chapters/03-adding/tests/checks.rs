//! Stands in for the shared checks.

use std::{env, fs, panic, process::ExitCode};

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ()));
    let state = |answer: fn(u32, u32) -> u32| match panic::catch_unwind(|| answer(1, 2)) {
        Ok(6) => "passed",
        Ok(_) => "failed",
        Err(_) => "pending",
    };
    let [solution, exercise] = [adding::solution::sum, adding::exercise::sum].map(state);
    let line = |who, state| format!(r#"{{"exercise":"sum","who":"{who}","state":"{state}","message":"sum is wrong"}}"#);
    let report = [line("solution", solution), line("exercise", exercise)].join("\n");
    fs::write(env::var_os("CHECKS_REPORT").unwrap(), report).unwrap();
    if exercise == "failed" { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
