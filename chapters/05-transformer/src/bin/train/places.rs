//! Where files go.

use ::places::{home, root};
use options::train::Options;
use std::{
    env,
    path::{Path, PathBuf},
};

/// Where a training's files go.
pub struct Places {
    /// The checkpoint, unless none is wanted.
    pub checkpoint: Option<PathBuf>,
    /// The loss curve, called as the checkpoint is.
    pub figure: PathBuf,
}

impl Places {
    /// The files of a training with `options`.
    pub fn new(options: &Options) -> Self {
        let named = options.checkpoint.as_deref().and_then(Path::file_stem);
        let name =
            named.map_or_else(|| options.name(), |name| name.to_string_lossy().into());
        Self {
            checkpoint: options.file(&home()),
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
