//! `sweep.json`: the cells of a sweep, written before the first one runs.

use std::path::{Path, PathBuf};

use micse_files::write_json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::{Against, Error, Result};

/// The cells of a sweep, and the settings they share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The preset's name.
    pub preset: String,
    /// One line on what differs from the recipes' own settings.
    pub settings: String,
    /// Where encoder, corpus and STS sets come from, one line each.
    pub notes: Vec<String>,
    /// What a reader of the tables should know of the preset and of single methods.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Recipe values that are axes of the grid, as given on the command line.
    #[serde(default)]
    pub axes: Vec<String>,
    /// The published results that its tables compare with, unless others are requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// The cells, in the order of execution and of table rows.
    pub cells: Vec<GridCell>,
}

/// One cell: its run folder, and its place in the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The name of the cell's encoder, if it is not the sweep's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The name of the cell's corpus, if it is not the sweep's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<String>,
    /// Whether its recipe has other values than the built-in one.
    pub changed: bool,
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
    encoder: Option<String>,
    corpus: Option<String>,
    #[serde(default)]
    changed: bool,
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
        let Written { folder, method, size, seed, encoder, corpus, changed, .. } = cell;
        Self { folder, method, size, seed, encoder, corpus, changed, vectors }
    }
}

impl Grid {
    /// The name of the encoder that its cells start from, unless they have their own: the last component of the path in
    /// a note such as `encoder: models/bert-base-uncased (--model)`, or of what the user called it, as in
    /// `encoder: .cache/.../86b5e0 (--model google-bert/bert-base-uncased)`.
    pub fn encoder(&self) -> Option<&str> {
        let note = self.notes.iter().find_map(|note| note.strip_prefix("encoder: "))?;
        let (path, why) = note.trim_end_matches(')').rsplit_once(" (").unwrap_or((note, ""));
        let name = why.strip_prefix("--model ").unwrap_or(path).trim_end_matches('/');
        Some(name.rsplit('/').next().unwrap_or(name))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_has_the_name_that_the_user_gave_it() {
        let of = |note: &str| {
            let grid = Grid { notes: vec!["corpus: demo".into(), note.into()], ..Grid::default() };
            grid.encoder().map(str::to_owned)
        };
        assert_eq!(of("encoder: models/bert-base-uncased/ (--model)").as_deref(), Some("bert-base-uncased"));
        assert_eq!(
            of("encoder: a/86b5e0 (--model google-bert/bert-base-uncased)").as_deref(),
            Some("bert-base-uncased")
        );
        assert_eq!(of("encoder: data/encoder (--model demo)").as_deref(), Some("demo"));
        assert_eq!(of("encoder: d/bert-base-uncased (MICSE_DATA)").as_deref(), Some("bert-base-uncased"));
        assert_eq!(of("sts: demo"), None);
    }
}
