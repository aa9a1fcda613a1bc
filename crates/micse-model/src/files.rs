//! Texts of small files.

use std::path::Path;

use crate::{Error, Result};

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io(path))
}
