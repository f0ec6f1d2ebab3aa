//! Where files go.

use options::train::Options;
use std::{
    env,
    path::{Path, PathBuf},
};
use transformer::training::Settings;

/// Where a training's files go.
pub struct Places {
    /// The checkpoint, unless none is wanted.
    pub checkpoint: Option<PathBuf>,
    /// The loss curve.
    pub figure: PathBuf,
}

impl Places {
    /// The files of a training with `settings`.
    pub fn new(options: &Options, settings: &Settings) -> Self {
        let name = format!("{}-{}-{}", settings.task, settings.model.order, settings.path);
        let root = root();
        let checkpoint = || {
            let own = || home(&root).join("checkpoints").join(format!("{name}.safetensors"));
            options.checkpoint.clone().unwrap_or_else(own)
        };
        Self {
            checkpoint: (!options.no_checkpoint).then(checkpoint),
            figure: root
                .join("target")
                .join("figures")
                .join("05-transformer")
                .join(format!("loss-{name}.svg")),
        }
    }
}

/// The course's folder: two above this package's, which cargo names to a program that it runs; else the current one.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.as_deref().and_then(|package| package.ancestors().nth(2));
    root.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// `$STUDY_HOME`, or `.study` in the course's folder.
fn home(root: &Path) -> PathBuf {
    let home = env::var_os("STUDY_HOME").filter(|home| !home.is_empty());
    home.map_or_else(|| root.join(".study"), PathBuf::from)
}

/// `path` as seen from the current folder.
pub fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
