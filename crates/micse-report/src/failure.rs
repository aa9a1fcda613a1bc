//! `failed.json`: why a cell has no result.

use micse_files::{RunFolder, write_json};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A cell that failed, in a way in which it would fail again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, with what to do about it.
    pub reason: String,
}

impl Failure {
    /// The one recorded in a cell's folder, if there is one.
    ///
    /// # Errors
    /// The file is broken.
    pub fn load(run: &RunFolder) -> Result<Option<Self>> {
        let path = run.failure();
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|e| Error::file(&path, format!("not the record of a failure ({e}); delete it"))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file(&path, e)),
        }
    }

    /// Records it in a cell's folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, run: &RunFolder) -> Result<()> {
        Ok(write_json(&run.failure(), self)?)
    }

    /// Takes a cell's record away, if there is one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn forget(run: &RunFolder) -> Result<()> {
        let path = run.failure();
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&path, e)),
            _ => Ok(()),
        }
    }
}
