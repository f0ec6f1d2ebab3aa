//! The notebooks' Rust kernel, as Jupyter is told of it.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::backup;
use crate::context::Context;

/// The kernel's name in a notebook.
pub const NAME: &str = "rust";

/// Starts the kernel in a build folder that stays.
const LAUNCH: &str = include_str!("launch.py");

/// Tells the Jupyter in `environment`, whose Python is `python`, of the kernel `program`.
///
/// This stands in for the kernel's own `--install`, which writes into the home folder of the user.
pub fn register(
    context: &Context,
    environment: &Path,
    python: &Path,
    program: &Path,
) -> Result<()> {
    let folder = environment.join("share").join("jupyter").join("kernels").join(NAME);
    let launch = folder.join("launch.py");
    let builds = context.home().join("kernels");
    let spec = serde_json::to_string_pretty(&json!({
        "argv": [python, launch, program, builds, "{connection_file}"],
        "display_name": "Rust",
        "language": "rust",
        "interrupt_mode": "message",
        "env": variables(context).into_iter().collect::<serde_json::Map<_, _>>(),
    }))
    .context(
        "the kernel's description can't be written as JSON: is a folder's name not valid UTF-8?",
    )?;
    let manifest = context.root().join("Cargo.toml");
    let manifest = std::fs::read_to_string(&manifest)
        .with_context(|| format!("can't read `{}`", manifest.display()))?;
    // The notebooks' cargo looks for its settings above the folders that it builds in.
    let settings = builds.join(".cargo").join("config.toml");
    for (file, text) in [
        (launch, LAUNCH),
        (folder.join("kernel.json"), &spec),
        (settings, &optimisation(&manifest)),
    ] {
        if !std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            backup::replace(&file, text)?;
        }
    }
    Ok(())
}

/// How much each package is optimised, as the workspace's manifest says: what a notebook compiles stands outside of the
/// workspace, and knows nothing of its profiles.
fn optimisation(manifest: &str) -> String {
    let mut kept = false;
    let mut settings = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            kept = line.starts_with("[profile.dev.package");
        }
        if kept {
            settings += line;
            settings.push('\n');
        }
    }
    settings
}

/// Keeps the kernel's settings and its compilation cache in the course's own folder.
///
/// The cache goes to the user's cache folder, which only Linux lets be moved by a variable.
fn variables(context: &Context) -> Vec<(String, serde_json::Value)> {
    let folder = |name: &str| json!(context.home().join(name));
    vec![
        ("EVCXR_CONFIG_DIR".to_owned(), folder("evcxr")),
        ("XDG_CACHE_HOME".to_owned(), folder("cache")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_optimised_as_in_the_workspace() {
        let manifest = "[package]\nname = \"a\"\n[profile.dev]\ndebug = false\n[profile.dev.package.\"*\"]\nopt-level = 0\n[profile.dev.package]\nb = { opt-level = 2 }\n[profile.release]\nlto = true\n";
        let settings = "[profile.dev.package.\"*\"]\nopt-level = 0\n[profile.dev.package]\nb = { opt-level = 2 }\n";
        assert_eq!(optimisation(manifest), settings);
    }
}
