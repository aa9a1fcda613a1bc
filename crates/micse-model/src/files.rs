//! Small files: text, and the top-level keys of JSON objects.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io(path))
}

/// The keys and values of a JSON file; `None` if the file does not exist.
pub(crate) fn object(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_str(&read_text(path)?)
        .map(Some)
        .map_err(|e| Error::Config { path: path.into(), reason: format!("not a valid configuration: {e}") })
}
