use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A drawn figure: an SVG with a text alternative.
///
/// The SVG shrinks with the space it is given, holds no ids and no blank lines, so that it can
/// stand inside a page, and is the same for the same numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    svg: String,
    alt: String,
}

impl Figure {
    pub(crate) fn new(svg: String, alt: String) -> Self {
        Self { svg, alt }
    }

    /// The picture, one `<svg>` element.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// What the picture shows, in words; also the SVG's `<title>`.
    pub fn alt(&self) -> &str {
        &self.alt
    }

    /// Writes the SVG to the file at `path`; fails as [`std::fs::write`] does.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, format!("{}\n", self.svg))
    }

    /// Writes the SVG to `target/figures/NAME` below the current folder, makes the folders for it, and returns the path.
    pub fn save_as(&self, name: &str) -> io::Result<PathBuf> {
        let path = Path::new("target/figures").join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        self.save(&path)?;
        Ok(path)
    }

    /// Shows the figure in an evcxr notebook when it is a cell's last expression.
    pub fn evcxr_display(&self) {
        // One print: another thread's line in between would break the block.
        println!("EVCXR_BEGIN_CONTENT image/svg+xml\n{}\nEVCXR_END_CONTENT", self.svg);
    }
}
