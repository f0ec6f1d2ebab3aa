//! Stands in for the shared checks: writes the same report.

use counting::{exercise, solution};
use std::{env, fmt::Write, fs, panic, process::ExitCode};

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| ()));
    let mut report = String::new();
    let all: [(&str, &str, fn(u32) -> u32, u32); 4] = [
        ("solution", "double", solution::double, 8),
        ("exercise", "double", exercise::double, 8),
        ("solution", "triple", solution::triple, 12),
        ("exercise", "triple", exercise::triple, 12),
    ];
    let mut failed = false;
    for (who, name, answer, expected) in all {
        let (state, message) = match panic::catch_unwind(|| answer(4)) {
            Ok(got) if got == expected => ("passed", String::new()),
            Ok(got) => ("failed", format!("expected {expected}, got {got}")),
            Err(_) => ("pending", String::new()),
        };
        failed |= state == "failed";
        writeln!(
            report,
            r#"{{"chapter":"counting","exercise":"{name}","who":"{who}","state":"{state}","message":"{message}","laws":[{{"group":"Implementation","says":"{name} is right","state":"{state}","why":""}}]}}"#
        )
        .unwrap();
    }
    fs::write(env::var_os("CHECKS_REPORT").unwrap(), report).unwrap();
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
