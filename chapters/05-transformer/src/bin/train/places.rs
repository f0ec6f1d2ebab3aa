//! Where files go.

use ::places::{home, root};
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
        let name =
            format!("{}-{}-{}", settings.task, settings.model.order, settings.path);
        let checkpoint = || {
            let own = || home().join("checkpoints").join(format!("{name}.safetensors"));
            options.checkpoint.clone().unwrap_or_else(own)
        };
        Self {
            checkpoint: (!options.no_checkpoint).then(checkpoint),
            figure: root()
                .join("target")
                .join("figures")
                .join("05-transformer")
                .join(format!("loss-{name}.svg")),
        }
    }
}

/// `path` as seen from the current folder.
pub fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
