//! The notebook format, as far as the course uses it (nbformat 4.5).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A Jupyter notebook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notebook {
    /// The cells, from top to bottom.
    pub cells: Vec<Cell>,
    /// The kernel and the language.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// 4.
    pub nbformat: u32,
    /// 5.
    pub nbformat_minor: u32,
}

/// A cell of a notebook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cell_type", rename_all = "lowercase")]
pub enum Cell {
    /// Code with its outputs.
    Code {
        /// The place in the order of execution, from 1.
        execution_count: Option<u32>,
        /// The cell's name, unique in the notebook.
        #[serde(default)]
        id: String,
        /// The cell's tags and how Jupyter shows it.
        #[serde(default)]
        metadata: CellMetadata,
        /// What the cell printed and returned.
        #[serde(default)]
        outputs: Vec<Output>,
        /// The code.
        source: Lines,
    },
    /// Text.
    Markdown {
        /// The cell's name, unique in the notebook.
        #[serde(default)]
        id: String,
        /// Empty.
        #[serde(default)]
        metadata: CellMetadata,
        /// Markdown.
        source: Lines,
    },
    /// Text that Jupyter leaves as it is; the course writes none.
    Raw {
        /// The text.
        source: Lines,
    },
}

/// What the course keeps of a cell's metadata.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CellMetadata {
    /// `{"source_hidden": true}` for cells that Jupyter folds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jupyter: Option<Value>,
    /// `timing`, `hidden`, `figure`, `exercise`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// One output of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "output_type", rename_all = "snake_case")]
pub enum Output {
    /// Printed text.
    Stream {
        /// `stdout` or `stderr`.
        name: String,
        /// The text.
        text: Lines,
    },
    /// Something displayed, by media type.
    DisplayData {
        /// The same thing in several media types.
        data: BTreeMap<String, Value>,
        /// Empty.
        #[serde(default)]
        metadata: BTreeMap<String, Value>,
    },
    /// The value of the cell's last expression, by media type.
    ExecuteResult {
        /// The same thing in several media types.
        data: BTreeMap<String, Value>,
        /// The cell's.
        execution_count: Option<u32>,
        /// Empty.
        #[serde(default)]
        metadata: BTreeMap<String, Value>,
    },
    /// A cell that failed.
    Error {
        /// The kind of failure.
        ename: String,
        /// What it says.
        evalue: String,
        /// The whole report, with colour codes.
        #[serde(default)]
        traceback: Vec<String>,
    },
}

/// Text that a notebook stores as one string or as a list of lines; written as a list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "RawLines")]
pub struct Lines(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLines {
    One(String),
    Many(Vec<String>),
}

impl From<RawLines> for Lines {
    fn from(raw: RawLines) -> Self {
        match raw {
            RawLines::One(text) => Self(text),
            RawLines::Many(lines) => Self(lines.concat()),
        }
    }
}

impl Serialize for Lines {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.split_inclusive('\n'))
    }
}

/// The text in a value of an output's data; `None` for what is no text.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    serde_json::from_value::<Lines>(value.clone()).ok().map(|lines| lines.0)
}

impl Notebook {
    /// A notebook for the Rust kernel.
    pub fn new(cells: Vec<Cell>) -> Self {
        let kernel =
            serde_json::json!({"display_name": "Rust", "language": "rust", "name": "rust"});
        let language =
            serde_json::json!({"file_extension": ".rs", "mimetype": "text/rust", "name": "rust"});
        let metadata = [("kernelspec".to_owned(), kernel), ("language_info".to_owned(), language)];
        Self { cells, metadata: metadata.into(), nbformat: 4, nbformat_minor: 5 }
    }

    /// Reads a notebook; an error names the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("can't read the notebook `{}`", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` is not a notebook of nbformat 4", path.display()))
    }

    /// The notebook as Jupyter itself would write it: one space of indentation, a final line end.
    pub fn to_json(&self) -> Result<String> {
        let mut json = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut json, formatter))?;
        json.push(b'\n');
        Ok(String::from_utf8(json)?)
    }

    /// Writes the notebook all at once: a reader of `path` sees the old file or the new one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let write = || -> Result<()> {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(self.to_json()?.as_bytes())?;
            share(file.as_file())?;
            file.persist(path)?;
            Ok(())
        };
        write().with_context(|| format!("can't write the notebook `{}`", path.display()))
    }

    /// Source and outputs of the code cells in order.
    pub fn code(&self) -> Vec<(&str, &[Output])> {
        let code = self.cells.iter().filter_map(|cell| match cell {
            Cell::Code { source, outputs, .. } => Some((source.0.as_str(), outputs.as_slice())),
            _ => None,
        });
        code.collect()
    }
}

/// Temporary files are private; a notebook is for all.
#[cfg(unix)]
fn share(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Where the notebook of a page is kept in the workspace `root`.
pub fn path(root: &Path, stem: &str) -> PathBuf {
    root.join("notebooks").join(format!("{stem}.ipynb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_strings_and_lists_and_writes_lists() -> Result<()> {
        let json = r#"{"cells":[{"cell_type":"code","execution_count":3,"id":"a","metadata":{"execution":{"t":1},"tags":["timing"]},
            "outputs":[{"output_type":"stream","name":"stdout","text":"a\nb"}],"source":["x\n","y"]}],
            "metadata":{},"nbformat":4,"nbformat_minor":5}"#;
        let notebook: Notebook = serde_json::from_str(json)?;
        assert_eq!(notebook.code()[0].0, "x\ny");
        let written = notebook.to_json()?;
        assert!(written.contains("\"a\\n\",\n") && !written.contains("execution\":"));
        assert_eq!(serde_json::from_str::<Notebook>(&written)?, notebook);
        Ok(())
    }
}
