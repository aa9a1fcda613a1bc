//! Removes temporary files that a killed process left behind.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::{Error, Result};

/// Prefix of the names of temporary files and folders, which nobody else uses: they are removed.
pub const PREFIX: &str = ".micse-unfinished-";

/// Locks an unfinished file for as long as it is open, so that [`remove_leftovers`] of another process leaves it.
pub(crate) fn mark_as_used(file: &File) {
    // Where locks are missing, a file is protected only by the rule that one process works in a folder.
    let _ = file.try_lock();
}

/// Protects an unfinished folder from [`remove_leftovers`] of another process, until the returned value is dropped.
/// `None` where folders cannot be locked.
pub fn hold(folder: &Path) -> Option<File> {
    File::open(folder).ok().filter(|folder| folder.try_lock().is_ok())
}

/// Whether a living process has this unfinished file or folder open.
fn is_used(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Removes unfinished files and folders that a killed process left directly in `folder`. Those that a living process
/// has locked (as [`crate::WholeFile`] and [`hold`] do) stay.
///
/// # Errors
/// Fails if such a file cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    // A missing folder has no leftovers.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            if is_used(&path) {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WholeFile;

    #[test]
    fn what_a_living_process_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(format!("{PREFIX}{name}"));
        let file = WholeFile::create(&folder.path().join("rows")).unwrap();
        std::fs::write(at("file"), b"").unwrap();
        for name in ["held", "left"] {
            std::fs::create_dir_all(at(name).join("below")).unwrap();
        }
        let held = hold(&at("held"));
        remove_leftovers(folder.path()).unwrap();
        assert!(!at("file").exists() && !at("left").exists());
        assert_eq!(at("held").exists(), held.is_some());
        file.publish().unwrap();
        drop(held);
        remove_leftovers(folder.path()).unwrap();
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["rows"]);
    }
}
