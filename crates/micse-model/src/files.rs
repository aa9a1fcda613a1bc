//! Small files: texts, and the keys and values of JSON.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io(path))
}

/// The keys of a JSON file; none if there is no such file.
pub(crate) fn object(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_str(&read_text(path)?)
        .map(Some)
        .map_err(|e| Error::Config { path: path.into(), reason: format!("not a valid configuration: {e}") })
}
