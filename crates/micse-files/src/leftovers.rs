//! What a killed process leaves of files that it was writing.

use std::path::Path;

use crate::{Error, Result};

/// How the temporary names begin.
pub(crate) const PREFIX: &str = ".unfinished-";

/// Removes what a killed process left of files that it was writing, directly in `folder`. To be called by the one
/// process that works there.
///
/// # Errors
/// Such a file cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    // A folder that is not there has none.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// [`remove_leftovers`] in `folder` and in all folders below it, all of which must be the process's own.
///
/// # Errors
/// Such a file cannot be removed.
pub fn remove_leftovers_below(folder: &Path) -> Result<()> {
    remove_leftovers(folder)?;
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        // Not where a link leads, which is somebody else's.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_leftovers_below(&entry.path())?;
        }
    }
    Ok(())
}
