//! Files that are whole or absent: written under a temporary name, synced, renamed.

use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// How the temporary names begin.
const PREFIX: &str = ".unfinished-";

/// Writes `bytes` to `path` so that at any moment either the old file or the whole new one is there.
/// Missing folders are made.
///
/// # Errors
/// The folder cannot be written (no permission, no room); the old file is untouched then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map_err(Error::io(folder))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
    // Temporary files are private; what is published gets the usual permissions.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(permissions).map_err(Error::io(path))?;
    }
    file.persist(path).map_err(|e| Error::Io { path: path.into(), source: e.error })?;
    // The name too has to outlast a power cut. Where folders cannot be opened, the system sees to it.
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
    Ok(())
}

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

/// [`remove_leftovers`] in `folder` and in all folders below it, all of which have to be the process's own.
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

/// What to do about a system's error, to be said behind it; nothing for most of them.
pub fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        "; make room and start the same command again: what was written before is whole"
    } else {
        ""
    }
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io(path))
}

/// [`write_whole`] of a value as indented JSON with a final newline.
///
/// # Errors
/// As [`write_whole`]; also a value that JSON cannot hold.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Input(format!("{}: cannot be written as JSON: {e}", path.display())))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}
