//! `sweep.json`: the cells of a sweep, written before the first one runs.

use std::path::{Path, PathBuf};

use micse_files::write_json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The cells of a sweep, and the settings they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The preset's name.
    pub preset: String,
    /// One line on what differs from the recipes' own settings.
    pub settings: String,
    /// Where encoder, corpus and STS sets come from, one line each.
    pub notes: Vec<String>,
    /// Recipe values that are axes of the grid, as given on the command line.
    #[serde(default)]
    pub axes: Vec<String>,
    /// The cells, in the order of execution and of table rows.
    pub cells: Vec<GridCell>,
}

/// One cell: its run folder, and its place in the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct GridCell {
    /// The run folder, relative to the sweep folder.
    pub folder: PathBuf,
    /// The method, as named in tables.
    pub method: String,
    /// The requested training-set size; `None` without training.
    pub size: Option<String>,
    /// The seed; `None` without training.
    pub seed: Option<u64>,
    /// Whether it scores word vectors instead of an encoder; read from the cell's specification, the rest of which
    /// belongs to what runs the cell.
    #[serde(skip)]
    pub vectors: bool,
}

/// A cell as the file has it.
#[derive(Deserialize)]
struct Written {
    folder: PathBuf,
    method: String,
    size: Option<String>,
    seed: Option<u64>,
    spec: Option<WrittenSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenSpec {
    work: WrittenWork,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenWork {
    #[serde(rename = "Vectors")]
    vectors: Option<IgnoredAny>,
}

impl From<Written> for GridCell {
    fn from(cell: Written) -> Self {
        let vectors = cell.spec.is_some_and(|spec| spec.work.vectors.is_some());
        Self { folder: cell.folder, method: cell.method, size: cell.size, seed: cell.seed, vectors }
    }
}

impl Grid {
    /// The file name, in the sweep folder.
    pub const FILE: &str = "sweep.json";

    /// Reads `sweep.json` from a sweep folder.
    ///
    /// # Errors
    /// The folder is not a sweep folder, or the file cannot be parsed.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::file(&path, format!("{e}; pass a folder that a sweep wrote")))?;
        serde_json::from_str(&text)
            .map_err(|e| Error::file(&path, format!("not a valid sweep file ({e}); run the sweep again")))
    }

    /// Writes `sweep.json` into a sweep folder.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(Self::FILE), self)?)
    }
}

impl std::fmt::Display for GridCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.method)?;
        if let Some(size) = &self.size {
            write!(f, " {size}")?;
        }
        if let Some(seed) = self.seed {
            write!(f, " seed {seed}")?;
        }
        Ok(())
    }
}
