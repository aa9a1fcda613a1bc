//! `sweep.json`: the cells of a sweep with their specifications, written before the first cell runs.

use std::path::Path;

use anyhow::{Context, Result};
use micse_files::write_json;
use micse_report::{Against, Grid, GridCell};
use serde::{Deserialize, Serialize};

use crate::cell::{CellSpec, Work};

/// The grid that tables and reports read ([`Grid`]), and the specifications that the cells' processes need.
#[derive(Serialize, Deserialize)]
pub(crate) struct SweepFile {
    /// The preset's name.
    pub(crate) preset: String,
    /// One line that lists the differences from the recipes.
    pub(crate) settings: String,
    /// One line each on the source of encoder, corpus and evaluation sets.
    pub(crate) notes: Vec<String>,
    /// What a reader of the tables should know of the preset and of single methods.
    #[serde(default)]
    pub(crate) remarks: Vec<String>,
    /// Recipe values that are axes of the grid, as requested.
    #[serde(default)]
    pub(crate) axes: Vec<String>,
    /// The published results that the tables compare with.
    #[serde(default)]
    pub(crate) against: Option<Against>,
    /// The cells, in the order in which they run and appear in tables.
    pub(crate) cells: Vec<PlannedCell>,
}

/// A cell: its place in the grid, and its specification.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlannedCell {
    #[serde(flatten)]
    pub(crate) cell: GridCell,
    pub(crate) spec: CellSpec,
}

impl SweepFile {
    /// Reads the file of a sweep folder.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(Grid::FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{}: not a sweep folder; pass one that a sweep wrote", path.display())
        })?;
        let mut file: Self = serde_json::from_str(&text).with_context(|| {
            format!(
                "{}: not a sweep file of this version; start the sweep again in a new folder",
                path.display()
            )
        })?;
        // Folders can be moved: a cell's place is not part of its specification.
        for planned in &mut file.cells {
            planned.spec.folder = folder.join(&planned.cell.folder);
            planned.cell.vectors = matches!(planned.spec.work, Work::Vectors { .. });
        }
        Ok(file)
    }

    /// Writes the file.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(Grid::FILE), self)?)
    }

    /// The part that tables and reports read.
    pub(crate) fn grid(&self) -> Grid {
        Grid {
            preset: self.preset.clone(),
            settings: self.settings.clone(),
            notes: self.notes.clone(),
            remarks: self.remarks.clone(),
            axes: self.axes.clone(),
            against: self.against,
            cells: self.cells.iter().map(|planned| planned.cell.clone()).collect(),
        }
    }
}
