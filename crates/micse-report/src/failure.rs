//! `failed.json`: why a cell has no result.

use micse_files::{RunFolder, write_json};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A permanent failure: the cell would fail again if rerun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, and how to fix it.
    pub reason: String,
}

impl Failure {
    /// Reads the failure recorded in a cell's run folder, if any.
    ///
    /// # Errors
    /// The file cannot be read or parsed.
    pub fn load(run: &RunFolder) -> Result<Option<Self>> {
        let path = run.failure();
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
    pub fn save(&self, run: &RunFolder) -> Result<()> {
        Ok(write_json(&run.failure(), self)?)
    }

    /// Removes the record from a cell folder, if any.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn forget(run: &RunFolder) -> Result<()> {
        let path = run.failure();
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&path, e)),
            _ => Ok(()),
        }
    }
}
