//! `sweep.json`: the cells of a sweep, written before the first one runs.

use std::path::{Path, PathBuf};

use micse_files::write_json;
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
pub struct GridCell {
    /// The run folder, relative to the sweep folder.
    pub folder: PathBuf,
    /// The method, as named in tables.
    pub method: String,
    /// The requested training-set size; `None` without training.
    pub size: Option<String>,
    /// The seed; `None` without training.
    pub seed: Option<u64>,
    /// Anything else the cell's process needs; only the program that runs cells interprets it.
    pub spec: serde_json::Value,
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
            .map_err(|e| Error::file(&path, format!("{e}; give a folder written by `cargo xtask sweep`")))?;
        serde_json::from_str(&text).map_err(|e| {
            Error::file(&path, format!("not a valid sweep file ({e}); run `cargo xtask sweep` again"))
        })
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
