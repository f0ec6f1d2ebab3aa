//! `cargo study doctor`: whether this machine has what the course needs.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use sysinfo::{Disks, MemoryRefreshKind, RefreshKind, System};

use super::exit;
use crate::context::Context;
use crate::process::ask;
use crate::tools::binary::{KERNEL, Tool};
use crate::tools::{at_least, jupyter, python, version_in};
use crate::ui::{Stream, bad, good, open};

/// Look at this machine: what is installed, what is missing, and what to type
#[derive(Args)]
#[command(
    after_help = "Example: cargo study doctor\n\nThe exit code is 1 only when something essential is missing."
)]
pub struct Doctor {}

/// What one line says.
enum Finding {
    /// It is there.
    Ok(String),
    /// It is not there, and need not be now.
    Later(String),
    /// It must be mended; the text says how.
    Missing(String),
}

use Finding::{Later, Missing, Ok as Fine};

/// The toolchain that the course is written for.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Free disk and memory that the course needs, in gigabytes.
const DISK: u64 = 8;
const MEMORY: u64 = 4;

const GIGABYTE: u64 = 1_000_000_000;

impl Doctor {
    /// Prints one line for each thing that the course uses.
    pub fn run(&self, context: &Context) -> Result<ExitCode> {
        let mut missing = false;
        for (name, finding) in [
            ("Rust", rust()),
            ("Rust kernel", tool(context, &KERNEL, "cargo study lab")),
            ("Jupyter", jupyter(context)),
            ("CUDA", cuda()),
            ("Disk", disk(context)),
            ("Memory", memory()),
        ] {
            let (mark, text) = match finding {
                Fine(text) => (good("OK      ", Stream::Out), text),
                Later(text) => (open("optional", Stream::Out), text),
                Missing(text) => {
                    missing = true;
                    (bad("MISSING ", Stream::Out), text)
                }
            };
            println!("{name:<12} {mark}  {text}");
        }
        println!();
        if missing {
            println!("Fix what is MISSING, then type `cargo study doctor` again.");
        } else {
            println!(
                "You are ready to start. Next: `cargo study serve` for the pages, `cargo study check` for your code."
            );
        }
        Ok(exit(missing))
    }
}

fn rust() -> Finding {
    let answer = ask("rustc", &["--version"]);
    match answer.as_deref().and_then(version_in) {
        Some(version) if at_least(version, RUST) => Fine(version.to_owned()),
        Some(version) => Missing(format!(
            "{version} is too old; the course needs {RUST} or later: type `rustup update stable`"
        )),
        None => Missing(format!(
            "no rustc on the PATH; the course needs {RUST} or later: install it from https://rustup.rs"
        )),
    }
}

fn tool(context: &Context, tool: &Tool, command: &str) -> Finding {
    match tool.find(context) {
        Some(program) => Fine(format!("{} ({})", tool.version, program.display())),
        None => Later(format!("{} will be installed by `{command}`", tool.version)),
    }
}

fn jupyter(context: &Context) -> Finding {
    if jupyter::is_installed(context) {
        return Fine("JupyterLab is installed".to_owned());
    }
    match python::find() {
        Ok(python::Maker::Python(program)) => {
            Later(format!("will be installed by `cargo study lab`, with `{}`", program.join(" ")))
        }
        Ok(python::Maker::Uv) => {
            Later("will be installed by `cargo study lab`, with `uv`".to_owned())
        }
        Err(error) => Later(error.to_string()),
    }
}

fn cuda() -> Finding {
    let Some(card) = ask("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]) else {
        return Later(
            "no NVIDIA card found; only week 9 can use one, and it also runs on the CPU".to_owned(),
        );
    };
    let card = card.lines().next().unwrap_or("a card").to_owned();
    match ask("nvcc", &["--version"]) {
        Some(_) => Fine(format!("{card}, with nvcc")),
        None => {
            Later(format!("{card}, but no nvcc on the PATH: install the CUDA toolkit for week 9"))
        }
    }
}

fn disk(context: &Context) -> Finding {
    let on = |folder: &Path| {
        let disks = Disks::new_with_refreshed_list().ok()?;
        let holding = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
        holding
            .max_by_key(|disk| disk.mount_point().components().count())
            .map(|disk| disk.available_space())
    };
    match on(context.root()) {
        Some(free) if free >= DISK * GIGABYTE => Fine(format!("{} GB free", free / GIGABYTE)),
        Some(free) => Missing(format!(
            "{} GB free in {}; the course needs {DISK} GB: free some space (`cargo clean` removes what was built)",
            free / GIGABYTE,
            context.root().display()
        )),
        None => Later(format!("free space is unknown; the course needs {DISK} GB")),
    }
}

fn memory() -> Finding {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let total = System::new_with_specifics(what).map_or(0, |system| system.total_memory());
    if total == 0 {
        Later(format!("unknown; the course needs {MEMORY} GB"))
    } else if total >= MEMORY * GIGABYTE {
        Fine(format!("{} GB", total / GIGABYTE))
    } else {
        Missing(format!(
            "{} GB; the course needs {MEMORY} GB: close other programs, or set CARGO_BUILD_JOBS=1",
            total / GIGABYTE
        ))
    }
}
