//! `sweep.json`: which cells a sweep has, written before the first of them runs.

use std::path::{Path, PathBuf};

use micse_files::write_json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The cells of a sweep, and what they have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The preset's name.
    pub preset: String,
    /// One line on what differs from the recipes as they stand.
    pub settings: String,
    /// Where encoder, sentences and evaluation sets come from, a line each.
    pub notes: Vec<String>,
    /// Recipe values that are axes of the grid, as they were asked for.
    #[serde(default)]
    pub axes: Vec<String>,
    /// The cells, in the order in which they run and stand in tables.
    pub cells: Vec<GridCell>,
}

/// One cell: a run's folder, and what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct GridCell {
    /// The run's folder, from the sweep's folder.
    pub folder: PathBuf,
    /// The method's name in tables.
    pub method: String,
    /// The training-set size as it was asked for; none without training.
    pub size: Option<String>,
    /// The seed; none without training.
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
    #[serde(default)]
    spec: WrittenSpec,
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
        let vectors = cell.spec.work.vectors.is_some();
        Self { folder: cell.folder, method: cell.method, size: cell.size, seed: cell.seed, vectors }
    }
}

impl Grid {
    /// The file's name in a sweep's folder.
    pub const FILE: &str = "sweep.json";

    /// Reads a sweep's file.
    ///
    /// # Errors
    /// The folder is no sweep's, or the file is broken.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::file(&path, format!("{e}; a sweep's folder is one that `cargo xtask sweep` wrote"))
        })?;
        serde_json::from_str(&text)
            .map_err(|e| Error::file(&path, format!("not a sweep's file ({e}); start the sweep again")))
    }

    /// Writes the sweep's file.
    ///
    /// # Errors
    /// The folder cannot be written.
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
