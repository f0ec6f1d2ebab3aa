//! Where a run takes place, and with what.

use crate::peak;
use crate::report::{Machine, Versions};
use crate::torch::Torch;
use std::process::Command;
use sysinfo::System;

/// This machine.
pub fn machine() -> Machine {
    let known = System::new().ok().map(|mut system| {
        system.refresh_cpu_all();
        system.refresh_memory();
        let cpu = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
        (cpu.unwrap_or_default(), system.total_memory())
    });
    let (cpu, memory) = known.unwrap_or_default();
    Machine {
        cpu: if cpu.is_empty() { "unknown processor".to_owned() } else { cpu },
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        instructions: peak::instructions().into_iter().map(str::to_owned).collect(),
        memory,
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// The versions of what is measured.
pub fn versions(torch: Option<&Torch>) -> Versions {
    let rustc = Command::new("rustc").arg("--version").output().ok();
    let rustc = rustc.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // `rustc 1.95.0 (…)`
    let rustc = rustc.split_whitespace().nth(1).unwrap_or("unknown").to_owned();
    Versions {
        rustc,
        candle: pinned("candle-core").unwrap_or("unknown").to_owned(),
        torch: torch.map(|torch| torch.version.split('+').next().unwrap_or_default().to_owned()),
        python: torch.map(|torch| torch.python_version.clone()),
        torch_cuda: torch.and_then(|torch| torch.cuda.clone()),
        torch_flash: torch.and_then(|torch| torch.flash.clone()),
    }
}

/// The version that the workspace pins a dependency to.
fn pinned(name: &str) -> Option<&'static str> {
    let manifest = include_str!("../../../Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"="))?;
    line.split('"').next()
}

#[cfg(test)]
mod tests {
    #[test]
    fn candles_version_is_found() {
        assert!(super::pinned("candle-core").is_some_and(|version| version.starts_with("0.")));
    }
}
