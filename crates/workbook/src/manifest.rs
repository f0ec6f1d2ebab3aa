//! A package's `Cargo.toml`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::text;

/// Reads a `Cargo.toml`; an error names the file and, where the text is not TOML, the line.
pub(crate) fn read(path: &Path) -> Result<toml::Table> {
    let text = text::read(path)?;
    text.parse().with_context(|| format!("`{}` is not valid TOML; fix it", path.display()))
}
