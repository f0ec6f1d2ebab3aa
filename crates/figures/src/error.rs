use std::fmt;

/// Why a figure could not be drawn: which figure, what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureError(String);

impl FigureError {
    /// An error of the figure called `title`, about its part `what`.
    pub(crate) fn new(
        title: &str,
        what: &str,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) -> Self {
        Self(format!("figure \"{title}\", {what}: expected {expected}, got {got}"))
    }

    /// An error that the drawing library reported.
    pub(crate) fn backend(error: impl fmt::Display) -> Self {
        Self(format!("the drawing library failed: {error}"))
    }
}

impl fmt::Display for FigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FigureError {}
