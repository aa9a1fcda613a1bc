//! `failed.json`: why a cell has no result.

use std::path::Path;

use micse_files::write_json;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A cell that failed, in a way in which it would fail again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, with what to do about it.
    pub reason: String,
}

impl Failure {
    /// The file's name in a cell's folder.
    pub const FILE: &str = "failed.json";

    /// The one recorded in a cell's folder, if there is one.
    ///
    /// # Errors
    /// The file is broken.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(Self::FILE);
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
    pub fn save(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(Self::FILE), self)?)
    }

    /// Takes a cell's record away, if there is one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn forget(folder: &Path) -> Result<()> {
        let path = folder.join(Self::FILE);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&path, e)),
            _ => Ok(()),
        }
    }
}
