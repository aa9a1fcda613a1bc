//! `failed.json`: why a cell has no result.

use std::path::Path;

use micse_files::write_json;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A permanent failure: the cell would fail again if rerun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, and how to fix it.
    pub reason: String,
}

impl Failure {
    /// The file name, in the cell folder.
    pub const FILE: &str = "failed.json";

    /// Reads the failure recorded in a cell folder, if any.
    ///
    /// # Errors
    /// The file cannot be read or parsed.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| {
                Error::file(&path, format!("not a valid failure record ({e}); delete the file"))
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file(&path, e)),
        }
    }

    /// Records the failure in a cell folder.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(Self::FILE), self)?)
    }

    /// Removes the record from a cell folder, if any.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn forget(folder: &Path) -> Result<()> {
        let path = folder.join(Self::FILE);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&path, e)),
            _ => Ok(()),
        }
    }
}
