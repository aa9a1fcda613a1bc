//! Removes temporary files that a killed process left behind.

use std::path::Path;

use crate::{Error, Result};

/// Prefix of the names of temporary files and folders, which nobody else uses: they are removed.
pub const PREFIX: &str = ".micse-unfinished-";

/// Removes unfinished files and folders that a killed process left directly in `folder`. Call it only from the one
/// process that works in this folder.
///
/// # Errors
/// Fails if such a file cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    // A missing folder has no leftovers.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed =
                if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// [`remove_leftovers`] in `folder` and all its subfolders, which must all belong to this process.
///
/// # Errors
/// Fails if such a file cannot be removed.
pub fn remove_leftovers_below(folder: &Path) -> Result<()> {
    remove_leftovers(folder)?;
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        // Do not follow links: their targets belong to somebody else.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_leftovers_below(&entry.path())?;
        }
    }
    Ok(())
}
